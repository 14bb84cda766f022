"""Images at other sizes and positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trtnet.backend import trt
from trtnet.dtypes import bfloat16, float32
from trtnet.graph import Size, Tensor
from trtnet.graph.dim import is_static
from trtnet.graph.shapes import constant, shape_tensor
from trtnet.ops.elementwise import cast
from trtnet.ops.matmul import matmul

KINDS = {"nearest": "NEAREST", "nearest-exact": "NEAREST", "bicubic": "CUBIC"}
LINEAR = {"linear": 1, "bilinear": 2, "trilinear": 3}


def interpolate(
    x: Tensor,
    size: Size | Sequence[Size] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """`x` [batch, channels, ...] at another size of its last axes: `size` of them, or `scale_factor` times theirs.

    mode: "nearest", "nearest-exact", "linear" (one axis), "bilinear" and "bicubic" (two), "trilinear" (three).
    bicubic is Keys' with a = -0.75, as torch's. Layer: IResizeLayer.
    """
    rank = x.ndim - 2
    _check(x, size, scale_factor, mode, rank)
    attributes = _attributes(mode, bool(align_corners))
    inputs: dict[int, Tensor] = {}
    if size is not None:
        target = (*x.shape[:2], *([size] * rank if not isinstance(size, Sequence) else size))
        if is_static(target):
            attributes["shape"] = target
        else:
            inputs = {1: shape_tensor(x.network, target)}
    else:
        assert scale_factor is not None
        scales = [scale_factor] * rank if not isinstance(scale_factor, Sequence) else list(scale_factor)
        attributes["scales"] = (1.0, 1.0, *scales)
        target = (*x.shape[:2], *(1,) * rank)
    wide = cast(x, float32) if x.dtype == bfloat16 else x
    (y,) = x.network.add("resize", {"input": wide}, attributes=attributes, inputs=inputs, dims=[target])
    return cast(y, x.dtype)


def _check(x: Tensor, size: object, scale_factor: object, mode: str, rank: int) -> None:
    if (size is None) == (scale_factor is None):
        x.network.fail("interpolate takes either size or scale_factor", {"x": x})
    wanted = {**LINEAR, "bicubic": 2}.get(mode, rank)
    if mode not in KINDS and mode not in LINEAR:
        x.network.fail(f"interpolate: mode is {', '.join([*KINDS, *LINEAR])}, found {mode!r}", {"x": x})
    if rank != wanted:
        x.network.fail(f"interpolate: {mode} takes {wanted + 2} dimensions, found {x.ndim}", {"x": x})
    given = size if isinstance(size, Sequence) else scale_factor
    if isinstance(given, Sequence) and len(given) != rank:
        x.network.fail(f"interpolate got {len(given)} numbers for {rank} axes", {"x": x})


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


def grid_sample(
    x: Tensor, grid: Tensor, mode: str = "bilinear", padding_mode: str = "zeros", align_corners: bool = False
) -> Tensor:
    """The values of `x` [batch, channels, height, width] at the positions of `grid` [batch, height', width', 2].

    Positions are (x, y), -1 and 1 the image's edges (the centres of its corner pixels with align_corners). mode:
    "bilinear", "nearest", "bicubic". padding_mode: "zeros", "border", "reflection". Layer: IGridSampleLayer.
    """
    modes = {"bilinear": "LINEAR", "nearest": "NEAREST", "bicubic": "CUBIC"}
    paddings = {"zeros": "FILL", "border": "CLAMP", "reflection": "REFLECT"}
    if mode not in modes or padding_mode not in paddings:
        text = f"mode {mode!r}, padding_mode {padding_mode!r}; it takes {', '.join(modes)} and {', '.join(paddings)}"
        x.network.fail(f"grid_sample: {text}", {"x": x})
    attributes = {
        "interpolation_mode": getattr(trt.InterpolationMode, modes[mode]),
        "sample_mode": getattr(trt.SampleMode, paddings[padding_mode]),
        "align_corners": align_corners,
    }
    (y,) = x.network.add(
        "grid_sample",
        {"input": x, "grid": grid},
        attributes=attributes,
        hint="grid_sample takes an image and a grid of four dimensions",
        dims=[(*x.shape[:2], *grid.shape[1:3])],
    )
    return y


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool = False) -> Tensor:
    """The positions `theta` [batch, 2, 3] maps an image of `size` [batch, channels, height, width] to.

    -> [batch, height, width, 2], as grid_sample takes them. height and width must be known.
    """
    height, width = size[-2:]
    if not is_static((height, width)):
        theta.network.fail(f"affine_grid needs a height and a width, found {height}x{width}", {"theta": theta})

    def places(n: int) -> np.ndarray:
        edge = np.linspace(-1, 1, n) if n > 1 else np.zeros(1)
        return edge if align_corners else edge * (n - 1) / n

    columns, rows = np.meshgrid(places(int(width)), places(int(height)))
    base = np.stack([columns, rows, np.ones_like(rows)], -1).reshape(1, -1, 3)
    points = matmul(constant(theta.network, base.astype(theta.dtype.numpy)), theta.transpose(1, 2))
    return points.reshape(theta.shape[0], height, width, 2)
