"""Pickles as data: what is in them is described, and nothing of it is imported or executed."""
