"""Forms of selections of positions."""
