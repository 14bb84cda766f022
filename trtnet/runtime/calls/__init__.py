"""Calls of a session: arguments in, outputs out, numpy or torch."""
