"""The formats of quantized checkpoints, a family a file."""
