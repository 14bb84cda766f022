"""Forms of shapes and of elements in other places."""
