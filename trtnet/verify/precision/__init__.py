"""Which modules need float32: the search and its result."""
