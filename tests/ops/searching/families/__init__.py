"""The rows of the table; importing this fills it."""

from ops.searching.families import (
    activations,
    creation,
    images,
    indexing,
    inplace,
    layers,
    norms,
    numbers,
    own,
    places,
    products,
    reductions,
    shapes,
)
from ops.searching.table import TABLE

__all__ = [
    "TABLE", "activations", "creation", "images", "indexing", "inplace", "layers", "norms", "numbers", "own",
    "places", "products", "reductions", "shapes",
]  # fmt: skip
