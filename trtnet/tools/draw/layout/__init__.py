"""Where things are in a drawing."""
