"""Convolutions with one 1 in each kernel, which move elements."""

MOST_CHANNELS = 1024
"""The most channels that are copied by a convolution, which multiplies each with all."""
