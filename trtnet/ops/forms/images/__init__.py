"""Forms of what ``trtnet.ops.images`` has."""
