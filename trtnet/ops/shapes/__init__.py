"""Shapes: views, joins, splits, slices, padding."""
