"""Heads of queries, keys and values that are one product, computed apart where TensorRT confuses them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trtnet.graph import Dim, Shape, Tensor
from trtnet.graph.shapes import constant
from trtnet.ops.arguments.operands import tensor
from trtnet.ops.elementwise.arithmetic import add
from trtnet.ops.indexing.gather import take
from trtnet.ops.products.accumulation import product_with_weight
from trtnet.ops.products.parts import SOME, sizes, unknown, viewed, whole
from trtnet.ops.products.quantized import product_of_rows
from trtnet.ops.quantization.weights import quantized
from trtnet.ops.shapes.shape import permute, reshape

Places = np.ndarray[Any, np.dtype[np.int64]]
"""Of each element, which one of a product it is."""


def apart(x: Tensor) -> Tensor:
    """Heads as a product of their own, if they are a part of one, of as many known positions as heads; else `x`.

    TensorRT-RTX 1.6 on an H200 takes positions for heads there, and computes wrong numbers in whatever form attention
    is. Where queries, keys and values are separate products it does not (tests/gpu/test_gpu_attention.py).

    x: [batch, heads, length, dim], or its last two axes exchanged: a view of the result of a linear layer, as
    ``qkv.chunk(3, -1)`` and ``qkv.reshape(batch, length, 3, heads, dim).permute(2, 0, 3, 1, 4)[0]`` are.
    """
    if not _is_confused(x.shape) or x.storage.serial not in x.network.linear or x.storage.version:
        return x
    base, views = whole(x)
    if base.ndim != 3 or not isinstance(base.shape[2], int):
        return x
    places = _places(base, views)
    if places is None or places.size == SOME ** len(unknown(base.shape)) * _known(base.shape):
        return x
    for turned in (False, True):
        found = _columns(places.swapaxes(-1, -2) if turned else places, base)
        if found is not None and _rows(x, turned) == tuple(base.shape[axis] for axis in found[1]):
            y = _heads(base, *found)
            return permute(y, (0, 1, 3, 2)) if turned else y
    return x


def _rows(x: Tensor, turned: bool) -> Shape:
    """The batch and the length of heads, by name where they are not known: numbers stand for these in places."""
    return x.shape[0], x.shape[3 if turned else 2]


def _is_confused(shape: Shape) -> bool:
    """Whether there are as many heads as positions, and TensorRT knows it."""
    return len(shape) == 4 and isinstance(shape[1], int) and shape[1] > 1 and shape[1] in (shape[2], shape[3])


def _known(shape: Shape) -> int:
    return int(np.prod([size for size in shape if isinstance(size, int)]))


def _places(base: Tensor, views: Sequence[Any]) -> Places | None:
    """The places in a product that views of it take, for a batch of some size; None for a view of another kind."""
    shape = sizes(base, base.shape)
    return None if shape is None else viewed(np.arange(np.prod(shape)).reshape(shape), base, views)


def _columns(places: Places, base: Tensor) -> tuple[Places, tuple[int, int]] | None:
    """The columns of a product that are heads [heads, dim], and its axes that are batch and length; else None."""
    width = base.shape[2]
    assert isinstance(width, int)
    rows, columns = places // width, places % width
    lead = [SOME if isinstance(size, Dim) else size for size in base.shape[:2]]
    if not (columns == columns[:1, :, :1]).all() or not (rows == rows[:, :1, :, :1]).all():
        return None
    own = np.arange(lead[0] * lead[1]).reshape(lead)
    for order in ((0, 1), (1, 0)):
        if np.array_equal(rows[:, 0, :, 0], own.transpose(order)):
            return columns[0, :, 0], order
    return None


def _heads(base: Tensor, columns: Places, order: tuple[int, int]) -> Tensor:
    """The product of some columns of a linear layer's weights: [batch, heads, length, dim]."""
    x, weight, bias = base.network.linear[base.storage.serial]
    chosen = constant(base.network, columns.ravel())
    found = quantized(base.network, weight)
    if found is not None:
        y = product_of_rows(x, weight, found, columns.ravel())
    else:
        y = product_with_weight(x, take(tensor(weight, base.network, base.dtype), chosen, 0), "TRANSPOSE")
    if bias is not None:
        y = add(y, take(tensor(bias, base.network, base.dtype), chosen, 0))
    return permute(reshape(y, (*base.shape[:2], *columns.shape)), (order[0], 2, order[1], 3))
