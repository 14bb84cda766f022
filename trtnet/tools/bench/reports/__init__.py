"""A measurement as tables, files, plots, trtexec's lines."""
