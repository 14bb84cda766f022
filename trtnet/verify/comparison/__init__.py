"""Compare: several things on the same inputs, and the report."""
