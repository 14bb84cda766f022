"""Text and tokens: tokenizers, chat templates, and text that grows as tokens come."""
