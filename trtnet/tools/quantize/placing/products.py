"""The products and convolutions of a network, as the table of rules is asked about them."""

from __future__ import annotations

from math import prod

from trtnet.definition import DefinedNetwork
from trtnet.graph.quantized import Use
from trtnet.tools.quantize.observing import watched
from trtnet.tools.quantize.placing.rules import Product


def products(network: DefinedNetwork) -> dict[str, Product]:
    """By the key of the weight, in the order in which they are computed first.

    Of a model that looks up rows of a table, that is the first layer, and no product is.
    """
    uses, tables = watched(network).uses, watched(network).tables
    first, last = ([] if tables else [*uses][:1]), [*uses][-1:]
    ends = {*first, *last} if len(uses) > 2 else set()
    return {key: _product(network, key, found, is_end=key in ends) for key, found in uses.items()}


def _product(network: DefinedNetwork, key: str, uses: list[Use], *, is_end: bool) -> Product:
    shape, groups = network.checkpoint.info(key).shape, uses[0].groups
    window = tuple(shape[2:])
    rows = [_rows(use) for use in uses]
    known = max((n for n in rows if n is not None), default=None) if None not in rows else None
    channels = (shape[1] * groups, shape[0]) if len(shape) > 1 else (1, shape[0])
    return Product(key, channels, window, groups, None if window else known, is_end)


def _rows(use: Use) -> int | None:
    sizes = use.x.shape[:-1]
    known = [n for n in sizes if isinstance(n, int)]
    return prod(known) if len(known) == len(sizes) else None
