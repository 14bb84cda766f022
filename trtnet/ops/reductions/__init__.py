"""Reductions, running sums, and orders."""
