"""TensorRT's layers, read back from a built network: what each is, says of itself, computes and moves."""
