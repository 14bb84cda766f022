"""The search without a GPU: what is compared, what is decided, what is kept."""
