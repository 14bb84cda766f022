"""Rows in which the search finds what nobody has mended yet, with the first thing found. It may only shrink."""

KNOWN: dict[str, str] = {}

UNSEARCHED: dict[str, str] = {
    "Plugin": "a class",
    "QuickPlugin": "a class",
    "custom": "its layers are plugins, which tests/ops/test_custom.py has",
    "dynamic_quantize": "its scales are of 8-bit floats that torch's CPU does not compute with",
    "kv_cache_update": "its result is the memory of one of its inputs",
    "masked_select": "row boolean_mask",
    "non_max_suppression": "TensorRT-RTX has no kernels for it: refused",
    "numel": "row numel_like",
}
"""Operations without a row of their own, and why."""

EXCEPTIONS: dict[str, str] = {
    "interpolate": "antialias to a width of 1: torch 2.13's CPU repeats the first row (to a width of 2 it does not)",
}
"""Cases that are not drawn, since torch's own answer is none."""
