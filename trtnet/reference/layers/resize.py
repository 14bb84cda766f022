"""Resampling."""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from trtnet.reference.step import LayerFunction, Step
from trtnet.support.backend import trt


def resize(step: Step) -> list[torch.Tensor]:
    """Each axis by itself: where an output pixel lies in the input, and what it makes of the pixels there."""
    layer, y = step.layer, step.x
    sizes = _output_sizes(step)
    for axis, (old, new) in enumerate(zip(step.x.shape, sizes, strict=True)):
        scale = _scale(step, axis, old, new)
        if old == new and (scale == 1 or old == 0):
            continue
        positions = _positions(layer, torch.arange(new, dtype=torch.float32), old, new, scale)
        y = _resampled(layer, y, axis, positions, old)
    return [y]


def _output_sizes(step: Step) -> list[int]:
    layer, dynamic = step.layer, step.optional(1)
    if dynamic is not None and dynamic.numel() and not dynamic.is_floating_point():
        return [int(size) for size in dynamic]
    scales = list(layer.scales)
    if scales:
        return [math.floor(size * scale) for size, scale in zip(step.x.shape, scales, strict=True)]
    return list(layer.shape)


def _scale(step: Step, axis: int, old: int, new: int) -> float:
    scales = list(step.layer.scales)
    return float(scales[axis]) if scales else new / max(old, 1)  # an empty batch stays one


def _positions(layer: trt.IResizeLayer, index: torch.Tensor, old: int, new: int, scale: float) -> torch.Tensor:
    """Where output pixels lie in the input, by the layer's coordinate transformation."""
    if new == 1 and layer.selector_for_single_pixel.name == "UPPER":
        return torch.zeros_like(index)
    name = layer.coordinate_transformation.name
    if name == "ALIGN_CORNERS":
        return index * ((old - 1) / (new - 1)) if new > 1 else torch.zeros_like(index)
    return (index + 0.5) / scale - 0.5 if name == "HALF_PIXEL" else index / scale


def _resampled(layer: trt.IResizeLayer, x: torch.Tensor, axis: int, positions: torch.Tensor, size: int) -> torch.Tensor:
    mode = layer.resize_mode.name
    if mode == "NEAREST":
        return x.index_select(axis, _rounded(layer, positions).clamp(0, size - 1))
    if mode == "LINEAR":
        positions = positions.clamp(0, size - 1)
    base = positions.floor()
    offsets = (0, 1) if mode == "LINEAR" else (-1, 0, 1, 2)
    weights = torch.stack([_weight(layer, positions - base - offset) for offset in offsets])
    taps = torch.stack([base.long() + offset for offset in offsets])
    if mode == "CUBIC" and layer.exclude_outside:
        weights = weights * ((taps >= 0) & (taps < size))
        weights = weights / weights.sum(0)
    shape = [-1 if i == axis else 1 for i in range(x.ndim)]
    terms = [
        x.index_select(axis, tap.clamp(0, size - 1)) * weight.reshape(shape)
        for tap, weight in zip(taps, weights, strict=True)
    ]
    return torch.stack(terms).sum(0)


def _rounded(layer: trt.IResizeLayer, positions: torch.Tensor) -> torch.Tensor:
    name = layer.nearest_rounding.name
    shift = {"HALF_UP": 0.5, "HALF_DOWN": -0.5}.get(name, 0.0)
    rounding = torch.floor if name in ("HALF_UP", "FLOOR") else torch.ceil
    return rounding(positions + shift).long()


def _weight(layer: trt.IResizeLayer, distance: torch.Tensor) -> torch.Tensor:
    """The weight of a pixel at a distance: linear, or Keys' cubic (1981)."""
    d = distance.abs()
    if layer.resize_mode.name == "LINEAR":
        return (1 - d).clamp(min=0)
    a = layer.cubic_coeff
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return torch.where(d <= 1, near, torch.where(d < 2, far, torch.zeros_like(d)))


def grid_sample(step: Step) -> list[torch.Tensor]:
    """torch's grid_sample: FILL is its zeros, CLAMP its border, REFLECT its reflection."""
    layer = step.layer
    padding = {"FILL": "zeros", "CLAMP": "border", "REFLECT": "reflection"}[layer.sample_mode.name]
    mode = {"LINEAR": "bilinear", "NEAREST": "nearest", "CUBIC": "bicubic"}[layer.interpolation_mode.name]
    return [functional.grid_sample(step.x, step.input(1), mode, padding, layer.align_corners)]


LAYERS: dict[str, LayerFunction] = {
    "GRID_SAMPLE": grid_sample,
    "RESIZE": resize,
}
