"""Rows in which the search finds what nobody has mended yet, with the first thing found. It may only shrink."""

KNOWN: dict[str, str] = {}
