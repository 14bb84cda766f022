"""Proof: how far the results of one thing are from those of another, and where they part."""
