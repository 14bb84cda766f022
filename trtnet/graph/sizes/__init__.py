"""Sizes that are known only when the engine runs, and arithmetic on them."""
