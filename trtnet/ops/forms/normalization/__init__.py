"""Forms of what ``trtnet.ops.normalization`` has."""
