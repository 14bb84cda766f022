"""Text for people: how messages are laid out, what they suggest, and how they are shown on a terminal."""
