"""Quantized checkpoints: the formats that are published, read as values and scales, or as floats."""
