"""A published model's files to those of a quantized one: language models, Whisper."""
