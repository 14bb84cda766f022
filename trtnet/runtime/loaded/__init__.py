"""A loaded engine: deserialized, its kernel cache, refit, inspection, streamed weights."""
