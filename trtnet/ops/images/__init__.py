"""Resizing, sampling, pixel shuffles, boxes."""
