"""Writes in place: to a tensor, to a part of one."""
