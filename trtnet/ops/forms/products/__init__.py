"""Forms of what ``trtnet.ops.products`` has."""
