"""The same model by other tools, measured beside."""
