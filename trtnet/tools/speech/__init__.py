"""Text of speech from a published model: its folder to a transcriber."""
