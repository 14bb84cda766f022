"""Heads of queries, keys and values that are one product, computed apart where TensorRT confuses them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trtnet.graph import Dim, Shape, Tensor
from trtnet.graph.shapes import constant
from trtnet.graph.sizes.dim import is_static
from trtnet.ops.arguments.operands import tensor
from trtnet.ops.elementwise.arithmetic import add
from trtnet.ops.indexing.gather import take
from trtnet.ops.products.layer import product
from trtnet.ops.products.quantized import product_of_rows
from trtnet.ops.quantization.weights import quantized
from trtnet.ops.shapes.shape import permute, reshape

Places = np.ndarray[Any, np.dtype[np.int64]]
"""Of each element, which one of a product it is."""

SOME = 2
"""A size that stands for those that are known only when the engine runs."""


def apart(x: Tensor) -> Tensor:
    """Heads as a product of their own, if they are a part of one, of as many known positions as heads; else `x`.

    TensorRT-RTX 1.6 on an H200 takes positions for heads there, and computes wrong numbers in whatever form attention
    is. Where queries, keys and values are separate products it does not (tests/gpu/test_gpu_attention.py).

    x: [batch, heads, length, dim], or its last two axes exchanged: a view of the result of a linear layer, as
    ``qkv.chunk(3, -1)`` and ``qkv.reshape(batch, length, 3, heads, dim).permute(2, 0, 3, 1, 4)[0]`` are.
    """
    if not _is_confused(x.shape) or x.storage.serial not in x.network.linear or x.storage.version:
        return x
    whole, views = _whole(x)
    if whole.ndim != 3 or not isinstance(whole.shape[2], int):
        return x
    places = _places(whole, views)
    if places is None or places.size == SOME ** len(_unknown(whole.shape)) * _known(whole.shape):
        return x
    for turned in (False, True):
        found = _columns(places.swapaxes(-1, -2) if turned else places, whole)
        if found is not None:
            columns, order = found
            y = _heads(whole, columns, order)
            return permute(y, (0, 1, 3, 2)) if turned else y
    return x


def _is_confused(shape: Shape) -> bool:
    """Whether there are as many heads as positions, and TensorRT knows it."""
    return len(shape) == 4 and isinstance(shape[1], int) and shape[1] > 1 and shape[1] in (shape[2], shape[3])


def _whole(x: Tensor) -> tuple[Tensor, list[Any]]:
    """What `x` is a part of in memory, and the views that make it of that, in order."""
    views = []
    while x.view_of is not None:
        views.append(x.view_of.key)
        x = x.view_of.base
    return x, views[::-1]


def _unknown(shape: Shape) -> list[Dim]:
    return [size for size in shape if isinstance(size, Dim)]


def _known(shape: Shape) -> int:
    return int(np.prod([size for size in shape if isinstance(size, int)]))


def _places(whole: Tensor, views: Sequence[Any]) -> Places | None:
    """The places in a product that views of it take, for a batch of some size; None for a view of another kind."""
    shape = _sizes(whole, whole.shape)
    if shape is None:
        return None
    places: Places = np.arange(np.prod(shape)).reshape(shape)
    for kind, *about in views:
        if kind == "shape" and (sizes := _sizes(whole, about[0])) is not None and np.prod(sizes) == places.size:
            places = places.reshape(sizes)
        elif kind == "permute":
            places = places.transpose(about[0])
        elif kind == "part" and all(is_static((cut.start, cut.size, cut.step)) for _, cut in about):
            for axis, cut in about:
                places = np.take(places, np.arange(cut.size) * cut.step + cut.start, axis)
        else:
            return None
    return places


def _sizes(whole: Tensor, shape: Shape) -> list[int] | None:
    """A shape whose unknown sizes are those of a product, with numbers for them; None for others."""
    unknown = {size.name for size in _unknown(whole.shape)}
    known = [size if isinstance(size, int) else SOME for size in shape if isinstance(size, int) or size.name in unknown]
    return known if len(known) == len(shape) else None


def _columns(places: Places, whole: Tensor) -> tuple[Places, tuple[int, int]] | None:
    """The columns of a product that are heads [heads, dim], and its axes that are batch and length; else None."""
    width = whole.shape[2]
    assert isinstance(width, int)
    rows, columns = places // width, places % width
    lead = [SOME if isinstance(size, Dim) else size for size in whole.shape[:2]]
    if not (columns == columns[:1, :, :1]).all() or not (rows == rows[:, :1, :, :1]).all():
        return None
    own = np.arange(lead[0] * lead[1]).reshape(lead)
    for order in ((0, 1), (1, 0)):
        if np.array_equal(rows[:, 0, :, 0], own.transpose(order)):
            return columns[0, :, 0], order
    return None


def _heads(whole: Tensor, columns: Places, order: tuple[int, int]) -> Tensor:
    """The product of some columns of a linear layer's weights: [batch, heads, length, dim]."""
    x, weight, bias = whole.network.linear[whole.storage.serial]
    chosen = constant(whole.network, columns.ravel())
    found = quantized(whole.network, weight)
    if found is not None:
        y = product_of_rows(x, weight, found, columns.ravel())
    else:
        y = product(x, take(tensor(weight, whole.network, whole.dtype), chosen, 0), "TRANSPOSE")
    if bias is not None:
        y = add(y, take(tensor(bias, whole.network, whole.dtype), chosen, 0))
    return permute(reshape(y, (*whole.shape[:2], *columns.shape)), (order[0], 2, order[1], 3))
