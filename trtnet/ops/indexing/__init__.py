"""Elements chosen by indices, and put where indices say."""
