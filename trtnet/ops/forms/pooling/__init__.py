"""Forms of pooling."""
