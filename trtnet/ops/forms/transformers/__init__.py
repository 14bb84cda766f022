"""Forms of what ``trtnet.ops.transformers`` has."""
