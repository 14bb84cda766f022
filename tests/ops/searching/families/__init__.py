"""The rows of the table; importing this fills it."""

from searching.families import (
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
from searching.table import TABLE

__all__ = [
    "TABLE", "activations", "creation", "images", "indexing", "inplace", "layers", "norms", "numbers", "own",
    "places", "products", "reductions", "shapes",
]  # fmt: skip
