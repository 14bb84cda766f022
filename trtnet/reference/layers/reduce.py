"""Reductions."""

from __future__ import annotations

from collections.abc import Callable

import torch

from trtnet.reference.step import LayerFunction, Step, describe
from trtnet.support.errors import ExecutionError


def _product(x: torch.Tensor, axes: list[int]) -> torch.Tensor:
    for axis in axes:
        x = x.prod(axis, keepdim=True)
    return x


REDUCTIONS: dict[str, Callable[[torch.Tensor, list[int]], torch.Tensor]] = {
    "SUM": lambda x, axes: x.sum(axes, keepdim=True, dtype=x.dtype),
    "PROD": _product,
    "MAX": lambda x, axes: x.amax(axes, keepdim=True),
    "MIN": lambda x, axes: x.amin(axes, keepdim=True),
    "AVG": lambda x, axes: x.mean(axes, keepdim=True),
}


def reduce(step: Step) -> list[torch.Tensor]:
    """One value for all elements along the axes of the mask."""
    layer, x = step.layer, step.x
    if layer.op.name not in REDUCTIONS:
        raise ExecutionError(f"{describe(layer)}: the reference does not execute reduction {layer.op.name}")
    axes = [axis for axis in range(x.ndim) if layer.axes >> axis & 1]
    y = REDUCTIONS[layer.op.name](x, axes)
    return [y if layer.keep_dims else y.reshape([size for axis, size in enumerate(x.shape) if axis not in axes])]


def topk(step: Step) -> list[torch.Tensor]:
    """The k largest or smallest along the axis, sorted; of equals, the first."""
    layer, x = step.layer, step.x
    k = step.optional(1)
    count = layer.k if k is None else int(k)
    axis = layer.axes.bit_length() - 1
    order = torch.argsort(x, dim=axis, descending=layer.op.name == "MAX", stable=True)
    indices = order.narrow(axis, 0, count)
    return [x.gather(axis, indices), indices.to(torch.int64 if _wants_int64(step) else torch.int32)]


def _wants_int64(step: Step) -> bool:
    return bool(step.layer.get_output(1).dtype.name == "INT64")


LAYERS: dict[str, LayerFunction] = {
    "REDUCE": reduce,
    "TOPK": topk,
}
