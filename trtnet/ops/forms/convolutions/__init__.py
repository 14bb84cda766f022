"""Forms of what ``trtnet.ops.convolutions`` has."""
