"""What a command line names: models, networks, weights, arguments."""
