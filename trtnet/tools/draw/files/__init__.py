"""Drawings as pages, pictures and files of other tools."""
