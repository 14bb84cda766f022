"""Convolution and deconvolution."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from trtnet.reference.step import LayerFunction, Step
from trtnet.support.backend import trt


def convolution(step: Step) -> list[torch.Tensor]:
    """Cross-correlation with weights from the layer, or from inputs 1 and 2."""
    layer, x = step.layer, step.x
    rank = len(layer.kernel_size_nd)
    kernel, bias = _weights(step, (layer.num_output_maps, x.shape[1] // layer.num_groups, *layer.kernel_size_nd))
    before, after = window_padding(layer, x.shape[2:], layer.kernel_size_nd, layer.dilation_nd)
    padded = functional.pad(x, _torch_order(before, after))
    function = functional.conv2d if rank == 2 else functional.conv3d
    arguments = tuple(layer.stride_nd), 0, tuple(layer.dilation_nd), layer.num_groups
    return [function(padded, kernel, bias, *arguments)]


def deconvolution(step: Step) -> list[torch.Tensor]:
    """The full transposed convolution, cropped by the padding on each side."""
    layer, x = step.layer, step.x
    rank = len(layer.kernel_size_nd)
    kernel, bias = _weights(step, (x.shape[1], layer.num_output_maps // layer.num_groups, *layer.kernel_size_nd))
    function = functional.conv_transpose2d if rank == 2 else functional.conv_transpose3d
    full = function(x, kernel, None, tuple(layer.stride_nd), 0, 0, layer.num_groups, tuple(layer.dilation_nd))
    before, after = _crops(layer, x.shape[2:], full.shape[2:])
    inner = [slice(b, size - a) for b, a, size in zip(before, after, full.shape[2:], strict=True)]
    y = full[(slice(None), slice(None), *inner)]
    return [y if bias is None else y + bias.reshape(-1, *(1,) * rank)]


def _weights(step: Step, shape: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor | None]:
    """(kernel, bias); the inputs 1 and 2 win over the layer's own."""
    kernel = step.optional(1)
    bias = step.optional(2)
    own = step.weight("kernel") if kernel is None else kernel
    assert own is not None
    return own.reshape(shape), step.weight("bias") if bias is None else bias


def window_padding(
    layer: trt.ILayer, sizes: Sequence[int], window: Sequence[int], dilation: Sequence[int]
) -> tuple[list[int], list[int]]:
    """(before, after) of each axis. The SAME modes keep ceil(size / stride), the odd one after (UPPER) or before."""
    mode = layer.padding_mode.name
    if not mode.startswith("SAME"):
        return list(layer.pre_padding), list(layer.post_padding)
    before, after = [], []
    for size, k, d, stride in zip(sizes, window, dilation, layer.stride_nd, strict=True):
        total = max((-(-size // stride) - 1) * stride + d * (k - 1) + 1 - size, 0)
        small, large = total // 2, total - total // 2
        before.append(small if mode == "SAME_UPPER" else large)
        after.append(large if mode == "SAME_UPPER" else small)
    return before, after


def _crops(layer: trt.ILayer, sizes: Sequence[int], full: Sequence[int]) -> tuple[list[int], list[int]]:
    mode = layer.padding_mode.name
    if not mode.startswith("SAME"):
        return list(layer.pre_padding), list(layer.post_padding)
    totals = [max(size - small * stride, 0) for size, small, stride in zip(full, sizes, layer.stride_nd, strict=True)]
    halves = [(total // 2, total - total // 2) for total in totals]
    before = [small if mode == "SAME_UPPER" else large for small, large in halves]
    return before, [total - b for total, b in zip(totals, before, strict=True)]


def _torch_order(before: Sequence[int], after: Sequence[int]) -> list[int]:
    """torch pads the last axis first."""
    pairs = reversed(list(zip(before, after, strict=True)))
    return [side for pair in pairs for side in pair]


LAYERS: dict[str, LayerFunction] = {
    "CONVOLUTION": convolution,
    "DECONVOLUTION": deconvolution,
}
