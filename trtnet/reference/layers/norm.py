"""Normalization."""

from __future__ import annotations

import torch

from trtnet.reference.step import LayerFunction, Step


def normalization(step: Step) -> list[torch.Tensor]:
    """``(x - mean) / sqrt(var + epsilon) * scale + bias`` over the axes of the mask, or groups of channels and them.

    With groups, the older layer's scale and bias are [1, groups, 1, ...], the newer one's [1, channels, 1, ...].
    """
    layer, x = step.layer, step.x
    scale, bias = step.input(1), step.input(2)
    axes = [axis for axis in range(x.ndim) if layer.axes >> axis & 1]
    if layer.num_groups == 1:
        return [_normalized(x, axes, layer.epsilon) * scale + bias]
    grouped = x.reshape(x.shape[0], layer.num_groups, x.shape[1:].numel() // layer.num_groups)
    normal = _normalized(grouped, [2], layer.epsilon)
    if scale.shape[1] == x.shape[1]:
        return [normal.reshape(x.shape) * scale + bias]
    shape = 1, layer.num_groups, 1
    return [(normal * scale.reshape(shape) + bias.reshape(shape)).reshape(x.shape)]


def _normalized(x: torch.Tensor, axes: list[int], epsilon: float) -> torch.Tensor:
    centred = x - x.mean(axes, keepdim=True)
    return centred * torch.rsqrt((centred * centred).mean(axes, keepdim=True) + epsilon)


def lrn(step: Step) -> list[torch.Tensor]:
    """``x / (k + alpha / window * sum of squares over the window of channels) ** beta`` (Krizhevsky et al., 2012)."""
    layer, x = step.layer, step.x
    return [torch.nn.functional.local_response_norm(x, layer.window_size, layer.alpha, layer.beta, layer.k)]


LAYERS: dict[str, LayerFunction] = {
    "LRN": lrn,
    "NORMALIZATION": normalization,
}
