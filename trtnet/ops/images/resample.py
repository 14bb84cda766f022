"""Images sampled at positions that tensors give."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product as corners_of

import numpy as np

from trtnet.graph import Size, Tensor
from trtnet.graph.shapes import constant
from trtnet.graph.sizes.dim import largest, numel
from trtnet.ops.create import arange
from trtnet.ops.elementwise.arithmetic import add, maximum, minimum, mul, sub
from trtnet.ops.elementwise.comparison import ge, gt, le, where
from trtnet.ops.elementwise.division import div
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.elementwise.logic import logical_and
from trtnet.ops.elementwise.rounding import floor, round
from trtnet.ops.elementwise.unary_functions import abs
from trtnet.ops.indexing.gather import gather
from trtnet.support.backend import trt
from trtnet.support.dtypes import float32

MODES = {"bilinear": "LINEAR", "nearest": "NEAREST", "bicubic": "CUBIC"}
PADDINGS = {"zeros": "FILL", "border": "CLAMP", "reflection": "REFLECT"}


def grid_sample(
    x: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """The values of `x` at the positions of `grid`, computed in float32.

    x: [batch, channels, height, width] with grid [batch, rows, columns, 2]; or [batch, channels, depth, height, width]
    with grid [batch, slices, rows, columns, 3]; floating. Positions are (x, y) or (x, y, z), with -1 and 1 the image's
    edges (the centres of its corner pixels with align_corners). mode: "bilinear", "nearest", or "bicubic" (images
    only). padding_mode: "zeros", "border", "reflection". Returns [batch, channels, rows, columns], or with slices, in
    the dtype of `x`.
    Layer: IGridSampleLayer for images; for volumes, IGatherLayer of the corners around each position, and
    IElementWiseLayer.
    Raises LayerError for other ranks, sizes and modes.
    Source: torch.nn.functional.grid_sample's documentation; Jaderberg et al., 2015, arXiv:1506.02025.
    """
    operands = {"x": x, "grid": grid}
    if mode not in MODES or padding_mode not in PADDINGS:
        text = f"mode {mode!r}, padding_mode {padding_mode!r}; it takes {', '.join(MODES)} and {', '.join(PADDINGS)}"
        x.network.fail(f"grid_sample: {text}", operands)
    if x.ndim not in (4, 5) or grid.ndim != x.ndim or grid.shape[-1] != x.ndim - 2:
        text = "an image and a grid of four dimensions, the last of 2, or of five, the last of 3"
        x.network.fail(f"grid_sample takes {text}", operands)
    if x.ndim == 5 and mode == "bicubic":
        x.network.fail("grid_sample: bicubic takes an input of four dimensions", operands)
    wide, places = cast(x, float32), cast(grid, float32)
    if x.ndim == 5:
        return cast(_of_volumes(wide, places, mode, padding_mode, bool(align_corners)), x.dtype)
    attributes = {
        "interpolation_mode": getattr(trt.InterpolationMode, MODES[mode]),
        "sample_mode": getattr(trt.SampleMode, PADDINGS[padding_mode]),
        "align_corners": bool(align_corners),
    }
    shape = (*x.shape[:2], *grid.shape[1:3])
    (y,) = x.network.add("grid_sample", {"input": wide, "grid": places}, attributes=attributes, dims=[shape])
    return cast(y, x.dtype)


def _of_volumes(x: Tensor, grid: Tensor, mode: str, padding_mode: str, align_corners: bool) -> Tensor:
    batch, channels, *sizes = x.shape
    count = numel(grid.shape[1:-1])
    flat = x.reshape(batch, channels, numel(tuple(sizes)))
    # the last number of a position is the first axis
    places = [
        _position(grid[..., i].reshape(batch, count), size, padding_mode, align_corners)
        for i, size in zip((2, 1, 0), sizes, strict=True)
    ]
    if mode == "nearest":
        return _read(flat, [round(p) for p in places], sizes).reshape(batch, channels, *grid.shape[1:-1])
    bases = [floor(p) for p in places]
    total: Tensor | None = None
    for corner in corners_of((0, 1), repeat=3):
        at = [add(base, side) if side else base for base, side in zip(bases, corner, strict=True)]
        sides = [sub(1, abs(sub(p, a))) for p, a in zip(places, at, strict=True)]
        weight = mul(mul(sides[0], sides[1]), sides[2]).unsqueeze(1)
        term = mul(_read(flat, at, sizes), weight)
        total = term if total is None else add(total, term)
    assert total is not None
    return total.reshape(batch, channels, *grid.shape[1:-1])


def _position(place: Tensor, size: Size, padding_mode: str, align_corners: bool) -> Tensor:
    """-1 to 1 as pixels from the first one's centre, inside of the image unless padding is zeros."""
    last, moved = size - 1, add(place, 1)
    position = mul(div(moved, 2), last) if align_corners else div(sub(mul(moved, size), 1), 2)
    if padding_mode == "zeros":
        return position
    if padding_mode == "reflection":
        low, span = (0.0, largest(last, 1)) if align_corners else (-0.5, size)
        position = _reflected(position, low, span)
    return minimum(maximum(position, 0), last)


def _reflected(position: Tensor, low: float, span: Size) -> Tensor:
    """Turned back at `low` and `span` after it, as often as it takes."""
    away = abs(sub(position, low))
    turns = floor(div(away, span))
    rest = sub(away, mul(turns, span))
    back = gt(sub(turns, mul(floor(div(turns, 2)), 2)), 0.5)
    return add(where(back, sub(span, rest), rest), low)


def _read(flat: Tensor, places: list[Tensor], sizes: Sequence[Size]) -> Tensor:
    """[batch, channels, count]: the pixels at whole positions [batch, count] of each axis, 0 outside of the image."""
    inside, index = None, None
    for place, size in zip(places, sizes, strict=True):
        here = logical_and(ge(place, 0), le(place, size - 1))
        number = cast(minimum(maximum(place, 0), size - 1), "int64")
        inside = here if inside is None else logical_and(inside, here)
        index = number if index is None else add(mul(index, size), number)
    assert inside is not None and index is not None
    each = index.unsqueeze(1).expand(-1, flat.shape[1], -1)
    return where(inside.unsqueeze(1), gather(flat, 2, each), 0.0)


def affine_grid(theta: Tensor, size: Sequence[Size], align_corners: bool | None = None) -> Tensor:
    """The positions to which `theta` maps the pixels of an image, as grid_sample takes them; computed in float32.

    theta: [batch, 2, 3] with size [batch, channels, height, width]; or [batch, 3, 4] with a depth in size; floating.
    size: ints or Dims. Returns [batch, height, width, 2] or [batch, depth, height, width, 3], in the dtype of `theta`.
    Layer: none, decomposed into IElementWiseLayer PROD and SUM.
    Raises LayerError for other ranks.
    Source: torch.nn.functional.affine_grid's documentation; Jaderberg et al., 2015, arXiv:1506.02025.
    """
    rank = len(size) - 2
    if rank not in (2, 3) or theta.ndim != 3 or tuple(theta.shape[1:]) != (rank, rank + 1):
        text = "theta [batch, 2, 3] and a size of four numbers, or theta [batch, 3, 4] and five"
        theta.network.fail(f"affine_grid takes {text}, found a size of {len(size)}", {"theta": theta})
    wide = cast(theta, float32)
    axes = []
    for axis, n in enumerate(size[2:]):
        shape = [-1 if i == axis else 1 for i in range(rank)]
        axes.append(_centres(theta, n, bool(align_corners)).reshape(1, *shape, 1))
    shift = (slice(None), *(None,) * rank)
    points = wide[..., rank][shift]
    for column, places in enumerate(reversed(axes)):
        points = add(points, mul(places, wide[..., column][shift]))
    return cast(points, theta.dtype)


def _centres(theta: Tensor, n: Size, align_corners: bool) -> Tensor:
    """[n]: where pixels lie from -1 to 1: the first and last on them with align_corners, else half a pixel inside."""
    if isinstance(n, int):
        edge = np.linspace(-1, 1, n) if n > 1 else np.zeros(1)
        return constant(theta.network, (edge if align_corners else edge * (n - 1) / n).astype(np.float32))
    count = cast(arange(n, network=theta.network), float32)
    if not align_corners:
        return sub(div(add(mul(count, 2), 1), n), 1)
    # a single pixel lies in the middle
    return where(gt(add(mul(count, 0), n), 1.5), sub(div(mul(count, 2), largest(n - 1, 1)), 1), 0.0)
