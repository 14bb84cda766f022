"""Forms of what ``trtnet.ops.elementwise`` has."""
