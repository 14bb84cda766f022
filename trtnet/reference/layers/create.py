"""Tensors out of nothing."""

from __future__ import annotations

import torch

from trtnet.reference.step import LayerFunction, Step


def fill(step: Step) -> list[torch.Tensor]:
    """LINSPACE: ``alpha + beta[axis] * index`` summed over the axes.

    RANDOM_UNIFORM in [alpha, beta) and RANDOM_NORMAL of mean alpha and deviation beta are torch's: an engine gives
    other values of the same kind.
    """
    layer = step.layer
    sizes = step.optional(0)
    shape = list(layer.shape) if sizes is None else [int(size) for size in sizes]
    start, delta = step.optional(1), step.optional(2)
    if layer.operation.name != "LINSPACE":
        a, b = (float(given) if x is None else float(x) for x, given in ((start, layer.alpha), (delta, layer.beta)))
        uniform = layer.operation.name == "RANDOM_UNIFORM"
        return [a + (b - a) * torch.rand(shape) if uniform else a + b * torch.randn(shape)]
    dtype = torch.float32 if step.output_dtype.is_floating else torch.int64
    first = torch.as_tensor(layer.alpha if start is None else start).to(dtype)
    steps = torch.as_tensor(layer.beta if delta is None else delta).to(dtype).reshape(-1)
    values = first.expand(shape).clone()
    for axis, size in enumerate(shape):
        index = torch.arange(size, dtype=dtype).reshape([-1 if i == axis else 1 for i in range(len(shape))])
        values = values + index * steps[axis if steps.numel() > 1 else 0]
    return [values]


def cumulative(step: Step) -> list[torch.Tensor]:
    """The running sum along the axis of input 1, from either end, with or without the element itself."""
    layer, x, axis = step.layer, step.x, int(step.input(1))
    ordered = x.flip(axis) if layer.reverse else x
    total = ordered.cumsum(axis, dtype=x.dtype)
    total = total - ordered if layer.exclusive else total
    return [total.flip(axis) if layer.reverse else total]


def one_hot(step: Step) -> list[torch.Tensor]:
    """values[1] at the index along a new axis of size depth, values[0] elsewhere."""
    index, values, depth = step.input(0).long(), step.input(1), int(step.input(2))
    axis = step.layer.axis % (index.ndim + 1)
    hot = torch.nn.functional.one_hot(index % depth, depth).movedim(-1, axis).bool()
    return [torch.where(hot, values[1], values[0])]


LAYERS: dict[str, LayerFunction] = {
    "CUMULATIVE": cumulative,
    "FILL": fill,
    "ONE_HOT": one_hot,
}
