"""Text from a published model: its folder or its GGUF file to a generator."""
