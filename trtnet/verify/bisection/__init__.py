"""Bisect: the module whose results part from its original's, and why."""
