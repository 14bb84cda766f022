"""Tensors and parameters: operators, methods, memory that is shared, writes in place."""
