"""The commands that check accuracy: ``compare``, ``bisect`` and ``precision``."""
