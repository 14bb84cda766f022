"""One execution: contexts, shapes, memory, CUDA graphs, streams."""
