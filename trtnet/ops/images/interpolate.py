"""Images at other sizes, with torch.nn.functional.interpolate's sizes and positions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from trtnet.graph import Dim, Size, Tensor
from trtnet.graph.shapes import constant, shape_tensor
from trtnet.graph.sizes.dim import is_static
from trtnet.ops.elementwise.arithmetic import add, maximum, minimum
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.elementwise.rounding import floor
from trtnet.ops.formulations import formulated
from trtnet.ops.formulations.facts import mean_facts
from trtnet.ops.images.by_scale import far, near, nearest, weighted
from trtnet.ops.pooling.adaptive import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d
from trtnet.ops.products.matmul import matmul
from trtnet.support.backend import trt
from trtnet.support.dtypes import bfloat16, float32, uint8
from trtnet.support.text.counted import counted

RANKS = {"linear": (1,), "bilinear": (2,), "bicubic": (2,), "trilinear": (3,)}
MODES = ("nearest", "nearest-exact", "area", *RANKS)
LONGEST = 1 << 14
"""The longest axis for which the size by a scale is checked to be torch's, where it is known only at run time."""


def interpolate(
    x: Tensor,
    size: Size | Sequence[Size] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """`x` at another size of its last axes: `size`, or `scale_factor` times theirs.

    x: [batch, channels, ...], floating or uint8, which is computed in float32 and rounded. mode: "nearest",
    "nearest-exact", "area", "linear" (one axis), "bilinear" and "bicubic" (two), "trilinear" (three). The size by a
    scale is floor(size * scale_factor) in float64; pixels are placed by the scale, or by the sizes if
    recompute_scale_factor. antialias: bilinear and bicubic over everything a new pixel covers. Returns [batch,
    channels, *size], in the dtype of `x`.
    Layer: IResizeLayer; IGatherLayer in float32 for a scale by which float32 computes no exact sizes, as 1 / 3; a pool
    for "area"; IMatrixMultiplyLayer for antialias. Of whole factors and of linear modes there are other forms:
    ``trtnet.ops.forms.images``.
    Raises LayerError for another mode or rank, for antialias of, and area to, sizes known only at run time, and for a
    scale whose sizes no layer computes as torch's float64 does.
    Source: torch.nn.functional.interpolate's documentation; Keys, 1981 (bicubic, a = -0.75, with antialias -0.5).
    """
    _check(x, size, scale_factor, mode, align_corners, antialias)
    rank = x.ndim - 2
    old = x.shape[2:]
    if size is not None:
        new, scales = _spread(size, rank), None
    else:
        assert scale_factor is not None
        factors = [float(s) for s in _spread(scale_factor, rank)]
        new = tuple(_scaled(x, n, s) for n, s in zip(old, factors, strict=True))
        scales = None if recompute_scale_factor or align_corners or mode == "area" else _copying(x, new, factors, mode)
    for n in new:
        if not isinstance(n, Dim) and n < 1:
            x.network.fail(f"interpolate to {'x'.join(map(str, new))}: a size is 1 or more", {"x": x})
    if mode == "area":
        return _averaged(x, new)
    wide = cast(x, float32) if x.dtype in (bfloat16, uint8) or (antialias and x.dtype != float32) else x
    if x.dtype == uint8 and not mode.startswith("nearest"):
        return cast(_of_bytes(wide, new, scales, mode, bool(align_corners), antialias), uint8)
    if antialias:
        y = _antialiased(wide, new, scales, mode, bool(align_corners))
    elif mode == "nearest" and (counts := repeats(old, new, scales)):
        y = _upsampled(wide, counts, new)
    elif mode.endswith("linear"):
        y = _interpolated(wide, new, scales, bool(align_corners))
    else:
        y = _resized(wide, new, scales, mode, bool(align_corners))
    return cast(y, x.dtype)


def _averaged(x: Tensor, new: tuple[Any, ...]) -> Tensor:
    if not is_static(new) and new != tuple(x.shape[2:]):
        text = f"interpolate: area to {'x'.join(map(str, new))} needs a size of ints"
        x.network.fail(f"{text}; declare the input's sizes as ints, or use avg_pool for 1 / n of a size", {"x": x})
    return (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)[len(new) - 1](x, new)


@formulated("upsampling", "resize")
def _upsampled(x: Tensor, counts: tuple[int, ...], new: tuple[Size, ...]) -> Tensor:
    """Each pixel `counts` times in each axis."""
    scales = [float(n) for n in counts]
    return _resized(x, new, scales, "nearest", align_corners=False)


@formulated("interpolation", "resize", facts=mean_facts)
def _interpolated(x: Tensor, new: tuple[Size, ...], scales: list[float] | None, align_corners: bool) -> Tensor:
    """Linear in each axis."""
    return _resized(x, new, scales, "linear", align_corners)


def repeats(old: tuple[Size, ...], new: tuple[Size, ...], scales: list[float] | None) -> tuple[int, ...]:
    """How often each pixel is there in each axis; () where these are not whole numbers, or all are 1."""
    if scales is None:
        if not is_static((*old, *new)) or any(m % n for n, m in zip(old, new, strict=True)):
            return ()
        scales = [m / n for n, m in zip(old, new, strict=True)]
    whole = all(s >= 1 and s == int(s) for s in scales) and max(scales) > 1
    return tuple(int(s) for s in scales) if whole else ()


def _of_bytes(
    x: Tensor, new: tuple[Size, ...], scales: list[float] | None, mode: str, align_corners: bool, antialias: bool
) -> Tensor:
    """Axis by axis from the last, rounded to bytes between them, as torch does."""
    for axis in reversed(range(len(new))):
        size = tuple(n if a == axis else x.shape[2 + a] for a, n in enumerate(new))
        own = None if scales is None else [s if a == axis else 1.0 for a, s in enumerate(scales)]
        if antialias:
            y = _antialiased(x, size, own, mode, align_corners)
        else:
            y = _resized(x, size, own, mode, align_corners)
        x = minimum(maximum(floor(add(y, 0.5)), 0), 255)
    return x


def _check(
    x: Tensor, size: object, scale_factor: object, mode: str, align_corners: bool | None, antialias: bool
) -> None:
    rank = x.ndim - 2
    if (size is None) == (scale_factor is None):
        x.network.fail("interpolate takes either size or scale_factor", {"x": x})
    if mode not in MODES:
        x.network.fail(f"interpolate: mode is {', '.join(MODES)}, found {mode!r}", {"x": x})
    wanted = RANKS.get(mode, (1, 2, 3))
    if rank not in wanted:
        text = " or ".join(str(n + 2) for n in wanted)
        x.network.fail(f"interpolate: {mode} takes {text} dimensions, found {x.ndim}", {"x": x})
    given = size if size is not None else scale_factor
    count = len(given) if isinstance(given, Sequence) else rank
    if count != rank:
        x.network.fail(f"interpolate got {counted(count, 'number')} for {counted(rank, 'axis', 'axes')}", {"x": x})
    if align_corners is not None and mode not in RANKS:
        x.network.fail(f"interpolate: align_corners is for {', '.join(RANKS)}, mode is {mode!r}", {"x": x})
    if antialias and mode not in ("bilinear", "bicubic"):
        x.network.fail(f"interpolate: antialias is for bilinear and bicubic, mode is {mode!r}", {"x": x})
    if not (x.dtype.is_floating or (x.dtype == uint8 and mode != "area")):
        x.network.fail(f"interpolate takes floats or uint8, found {x.dtype}", {"x": x})


def _spread(value: Any, rank: int) -> tuple[Any, ...]:
    """A number an axis; numpy's as Python's."""
    numbers = tuple(value) if isinstance(value, Sequence) else (value,) * rank
    return tuple(n.item() if isinstance(n, np.generic) else n for n in numbers)


def _scaled(x: Tensor, size: Size, scale: float) -> Size:
    """floor(size * scale) in float64."""
    if isinstance(size, int):
        return math.floor(size * scale)
    sizes = np.arange(1, LONGEST)
    for digits in range(1, 10):
        ratio = Fraction(scale).limit_denominator(10**digits)
        if (sizes * ratio.numerator // ratio.denominator == np.floor(sizes * scale)).all():
            return size * ratio.numerator // ratio.denominator
    text = f"in float64, as torch computes it, floor({size} * {scale}) is not the floor of a ratio"
    return x.network.fail(f"interpolate: {text}; give size, or a scale such as 0.5, 1.5 or 2", {"x": x})


def _copying(x: Tensor, new: tuple[Size, ...], scales: list[float], mode: str) -> list[float]:
    """The scales, 1 where torch copies an axis because its size stays: linear modes, "nearest" of two axes."""
    if not mode.endswith("linear") and not (mode == "nearest" and x.ndim == 4):
        return scales
    old = x.shape[2:]
    if any(isinstance(n, Dim) and 1 < s < 1.5 for n, s in zip(old, scales, strict=True)):
        text = f"a scale of {scales}, by which torch copies what is too short to grow: give size"
        x.network.fail(f"interpolate: {text}", {"x": x})
    return [1.0 if n == m else s for n, m, s in zip(old, new, scales, strict=True)]


def _computes(old: tuple[Size, ...], new: tuple[Size, ...], scales: list[float]) -> bool:
    """Whether TensorRT can be given the scales.

    It computes sizes and positions by them in float32, exactly for 2, 0.5 or 1.25 but not for 1 / 3; and it drops a
    layer all of whose sizes stay, whatever the scales are.
    """
    stays = all(
        s == 1 or (1 < s < 1.5 if isinstance(n, Dim) or isinstance(m, Dim) else n == m)
        for n, m, s in zip(old, new, scales, strict=True)
    )
    return all(map(_is_plain, scales)) and not stays


def _is_plain(scale: float) -> bool:
    return scale == 1 or (Fraction(scale).numerator < 256 and Fraction(scale).denominator in (1, 2, 4, 8, 16, 32, 64))


def _resized(x: Tensor, new: tuple[Size, ...], scales: list[float] | None, mode: str, align_corners: bool) -> Tensor:
    """By sizes where pixels lie by them, by TensorRT's scales where it computes them exactly, else pixel by pixel."""
    old = x.shape[2:]
    by_sizes = scales is not None and _lie_by_sizes(old, new, scales)
    if scales is None or (by_sizes and (all(map(_is_plain, scales)) or not mode.startswith("nearest"))):
        return _layer(x, new, None, _attributes(mode, align_corners))
    if _computes(old, new, scales):
        return _layer(x, new, scales, _attributes(mode, align_corners))
    return nearest(x, new, scales, mode) if mode.startswith("nearest") else weighted(x, new, scales, mode)


def _layer(x: Tensor, new: tuple[Size, ...], scales: list[float] | None, attributes: dict[str, Any]) -> Tensor:
    target = (*x.shape[:2], *new)
    inputs: dict[int, Tensor] = {}
    if scales is not None:
        attributes = attributes | {"scales": (1.0, 1.0, *scales)}
    elif is_static(target):
        attributes = attributes | {"shape": target}
    else:
        inputs = {1: shape_tensor(x.network, target)}
    (y,) = x.network.add("resize", {"input": x}, attributes=attributes, inputs=inputs, dims=[target])
    return y


def _lie_by_sizes(old: tuple[Size, ...], new: tuple[Size, ...], scales: list[float]) -> bool:
    """Whether the ratio of the sizes is the scale."""
    return all(
        isinstance(n, int) and isinstance(m, int) and math.isclose(n * s, m, rel_tol=1e-12)
        for n, m, s in zip(old, new, scales, strict=True)
    )


def _attributes(mode: str, align_corners: bool) -> dict[str, Any]:
    kind = trt.InterpolationMode
    where = trt.ResizeCoordinateTransformation
    if mode == "nearest":
        how = {"coordinate_transformation": where.ASYMMETRIC, "nearest_rounding": trt.ResizeRoundMode.FLOOR}
        return {"resize_mode": kind.NEAREST, **how}
    if mode == "nearest-exact":
        how = {"coordinate_transformation": where.HALF_PIXEL, "nearest_rounding": trt.ResizeRoundMode.HALF_UP}
        return {"resize_mode": kind.NEAREST, **how}
    places = where.ALIGN_CORNERS if align_corners else where.HALF_PIXEL
    cubic = {"resize_mode": kind.CUBIC, "cubic_coeff": -0.75} if mode == "bicubic" else {"resize_mode": kind.LINEAR}
    return {"coordinate_transformation": places, **cubic}


def _antialiased(x: Tensor, new: tuple[Size, ...], scales: list[float] | None, mode: str, corners: bool) -> Tensor:
    """Each axis as a product with a matrix whose rows are the weights of the pixels under a new one."""
    if not is_static((*x.shape[2:], *new)):
        text = "antialias needs the size of its input and of its output; resize without it, or declare them"
        x.network.fail(f"interpolate: {text}", {"x": x})
    for axis, size in enumerate(new, start=2):
        old, n = int(x.shape[axis]), int(size)
        if corners:
            step = (old - 1) / (n - 1) if n > 1 else 0.0
        else:
            step = 1 / scales[axis - 2] if scales is not None else old / n
        matrix = constant(x.network, _filters(old, n, step, mode).astype(np.float32).T)
        x = matmul(x, matrix) if axis == 3 else matmul(x.transpose(2, 3), matrix).transpose(2, 3)
    return x


def _filters(old: int, new: int, step: float, mode: str) -> np.ndarray[Any, Any]:
    """[new, old]: torch's (and Pillow's) triangle, or Keys' cubic with a = -0.5, as wide as a new pixel is."""
    width = max(step, 1.0)
    support = (1 if mode == "bilinear" else 2) * width
    rows = np.zeros((new, old))
    for row, i in zip(rows, range(new), strict=True):
        centre = step * (i + 0.5)
        first, last = max(int(centre - support + 0.5), 0), min(int(centre + support + 0.5), old)
        distance = np.abs((np.arange(first, last) - centre + 0.5) / width)
        weights = np.maximum(1 - distance, 0) if mode == "bilinear" else _keys(distance)
        row[first:last] = weights / weights.sum()
    return rows


def _keys(distance: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.where(distance < 1, near(distance, -0.5), np.where(distance < 2, far(distance, -0.5), 0.0))
