"""The GPU: streams, buffers, copies, CUDA graphs, torch tensors."""
