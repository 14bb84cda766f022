"""Elements in other places: flips, rolls, repeats, triangles, pixel shuffles."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from trtnet.graph import Dim, Size, Tensor
from trtnet.graph.dim import is_static
from trtnet.graph.shapes import constant
from trtnet.ops.create import arange
from trtnet.ops.elementwise import ge, le, where
from trtnet.ops.operands import axis
from trtnet.ops.shape import shuffle
from trtnet.ops.slicing import Cut, cut


def flip(x: Tensor, dims: int | Sequence[int], *more: int) -> Tensor:
    """The given axes backwards, ``flip(x, (1, 2))`` or ``flip(x, 1, 2)``. Layer: ISliceLayer with stride -1."""
    axes = {axis(x, d, "flip") for d in ([dims, *more] if isinstance(dims, int) else dims)}
    return cut(x, {a: Cut(x.shape[a] - 1, x.shape[a], -1) for a in axes}, name="flip")


def roll(x: Tensor, shifts: int | Sequence[int], dims: int | Sequence[int]) -> Tensor:
    """Each axis moved on by its shift; what falls off comes in again at the other end. Layer: ISliceLayer WRAP."""
    by = [shifts] if isinstance(shifts, int) else list(shifts)
    along = [dims] if isinstance(dims, int) else list(dims)
    if len(by) != len(along):
        x.network.fail(f"roll got {len(by)} shifts for {len(along)} dims", {"x": x})
    total: dict[int, int] = {}
    for shift, d in zip(by, along, strict=True):
        a = axis(x, d, "roll")
        total[a] = total.get(a, 0) + shift
    cuts = {a: Cut(_start(x.shape[a], shift), x.shape[a]) for a, shift in total.items() if shift}
    return cut(x, cuts, "WRAP", name="roll")


def _start(size: Size, shift: int) -> Size:
    """Where a rolled axis begins: ``-shift`` counted from the front, where negative numbers wrap as well."""
    return -shift % size if isinstance(size, int) and size else -shift


def repeat(x: Tensor, sizes: Sequence[int]) -> Tensor:
    """`x` laid side by side `sizes` times along each axis; more sizes than axes add axes. Layer: ISliceLayer WRAP."""
    missing = len(sizes) - x.ndim
    if missing < 0:
        x.network.fail(f"repeat got {len(sizes)} sizes for {x.ndim} dimensions", {"x": x})
    lifted = x[(None,) * missing] if missing else x
    times = {a: n for a, n in enumerate(sizes) if n != 1}
    return cut(lifted, {a: Cut(0, lifted.shape[a] * n) for a, n in times.items()}, "WRAP", name="repeat")


def tile(x: Tensor, dims: Sequence[int]) -> Tensor:
    """`x` laid side by side along its last axes, `dims` times along each; more numbers than axes add axes."""
    return repeat(x, (*(1,) * (x.ndim - len(dims)), *dims))


def repeat_interleave(x: Tensor, repeats: int, dim: int) -> Tensor:
    """Each element along `dim` `repeats` times in a row."""
    along = axis(x, dim, "repeat_interleave")
    sizes = (*x.shape[: along + 1], repeats, *x.shape[along + 1 :])
    return x.unsqueeze(along + 1).expand(sizes).flatten(along, along + 1)


def tril(x: Tensor, diagonal: int = 0) -> Tensor:
    """The last two axes with 0 above the diagonal."""
    return where(_triangle(x, diagonal, operator.le, le), x, 0)


def triu(x: Tensor, diagonal: int = 0) -> Tensor:
    """The last two axes with 0 below the diagonal."""
    return where(_triangle(x, diagonal, operator.ge, ge), x, 0)


def _triangle(x: Tensor, diagonal: int, known: Callable[..., Any], unknown: Callable[..., Tensor]) -> Tensor:
    """[rows, columns] bool: how each column number compares with the row number plus `diagonal`."""
    if x.ndim < 2:
        x.network.fail(f"a triangle needs two dimensions, found {x.ndim}", {"x": x})
    rows, columns = x.shape[-2:]
    if is_static((rows, columns)):
        return constant(x.network, known(np.arange(int(columns))[None], np.arange(int(rows))[:, None] + diagonal))
    first, second = (arange(n, network=x.network) for n in (rows, columns))
    return unknown(second.unsqueeze(0), first.unsqueeze(1) + diagonal)


def one_hot(x: Tensor, num_classes: int) -> Tensor:
    """int64 [..., num_classes], 1 at the index and 0 elsewhere. Layer: IOneHotLayer.

    An index out of range is not checked.
    """
    network = x.network
    arguments = {"indices": x, "values": constant(network, np.array([0, 1], np.int64)), "axis": -1}
    arguments |= {"depth": constant(network, np.array(num_classes, np.int32))}
    (y,) = network.add("one_hot", arguments, dims=[(*x.shape, num_classes)])
    return y


def pixel_shuffle(x: Tensor, upscale_factor: int) -> Tensor:
    """[..., channels r^2, height, width] -> [..., channels, height r, width r] (Shi et al., 2016). IShuffleLayer."""
    r = upscale_factor
    *lead, channels, height, width = x.shape
    if not isinstance(channels, int) or channels % (r * r):
        x.network.fail(f"pixel_shuffle by {r} of {channels} channels", {"x": x})
    n = len(lead)
    order = (*range(n), n, n + 3, n + 1, n + 4, n + 2)
    apart = shuffle(x, shape=(*lead, channels // (r * r), r, r, height, width), after=order)
    return apart.reshape(*lead, channels // (r * r), height * r, width * r)


def pixel_unshuffle(x: Tensor, downscale_factor: int) -> Tensor:
    """[..., channels, height r, width r] -> [..., channels r^2, height, width]. Layer: IShuffleLayer."""
    r = downscale_factor
    *lead, channels, height, width = x.shape
    if not _divides(r, height) or not _divides(r, width) or isinstance(channels, Dim):
        x.network.fail(f"pixel_unshuffle by {r} of {channels}x{height}x{width}", {"x": x})
    n = len(lead)
    order = (*range(n), n, n + 2, n + 4, n + 1, n + 3)
    apart = shuffle(x, shape=(*lead, channels, height // r, r, width // r, r), after=order)
    return apart.reshape(*lead, channels * r * r, height // r, width // r)


def _divides(r: int, size: Size) -> bool:
    return isinstance(size, Dim) or size % r == 0


def channel_shuffle(x: Tensor, groups: int) -> Tensor:
    """The channels of each group dealt out in turn (Zhang et al., 2017). x: [batch, channels, ...]."""
    batch, channels, *rest = x.shape
    if not isinstance(channels, int) or channels % groups:
        x.network.fail(f"channel_shuffle of {channels} channels in {groups} groups", {"x": x})
    return x.reshape(batch, groups, channels // groups, *rest).transpose(1, 2).reshape(batch, channels, *rest)
