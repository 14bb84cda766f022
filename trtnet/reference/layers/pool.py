"""Pooling."""

from __future__ import annotations

from itertools import product

import torch

from trtnet.reference.layers.conv import window_padding
from trtnet.reference.step import LayerFunction, Step, describe
from trtnet.support.errors import ExecutionError


def pooling(step: Step) -> list[torch.Tensor]:
    """Maximum, mean, or a blend of both, of each window.

    The padding never wins a maximum. It counts as zeros in a mean unless the layer excludes it; what a window covers
    beyond the padding (when rounding up) never counts.
    """
    layer, x = step.layer, step.x
    window, stride = list(layer.window_size_nd), list(layer.stride_nd)
    before, after = window_padding(layer, x.shape[2:], window, [1] * len(window))
    up = layer.padding_mode.name == "EXPLICIT_ROUND_UP"
    kind = layer.type.name
    padded = [b + size + a for b, size, a in zip(before, x.shape[2:], after, strict=True)]
    counts = [_count(size, k, s, up) for size, k, s in zip(padded, window, stride, strict=True)]
    if kind == "MAX":
        return [_windows(x, before, window, stride, counts, float("-inf")).amax(-1)]
    total = _windows(x, before, window, stride, counts, 0.0).sum(-1)
    covered = torch.ones_like(x[:1, :1])
    if not layer.average_count_excludes_padding:
        covered = torch.ones(1, 1, *padded)
    before = before if layer.average_count_excludes_padding else [0] * len(window)
    average = total / _windows(covered, before, window, stride, counts, 0.0).sum(-1)
    if kind == "AVERAGE":
        return [average]
    if kind == "MAX_AVERAGE_BLEND":
        largest = _windows(x, before, window, stride, counts, float("-inf")).amax(-1)
        return [(1 - layer.blend_factor) * largest + layer.blend_factor * average]
    raise ExecutionError(f"{describe(layer)}: the reference does not execute pooling type {kind}")


def _count(size: int, window: int, stride: int, up: bool) -> int:
    steps = size - window
    return (-(-steps // stride) if up else steps // stride) + 1


def _windows(
    x: torch.Tensor, before: list[int], window: list[int], stride: list[int], counts: list[int], fill: float
) -> torch.Tensor:
    """[batch, channels, *counts, elements of a window]; `fill` outside of `x`."""
    needed = [(n - 1) * s + k for n, s, k in zip(counts, stride, window, strict=True)]
    sizes = [max(need, b + size) for need, b, size in zip(needed, before, x.shape[2:], strict=True)]
    canvas = x.new_full((*x.shape[:2], *sizes), fill)
    inner = [slice(b, b + size) for b, size in zip(before, x.shape[2:], strict=True)]
    canvas[(slice(None), slice(None), *inner)] = x
    taps = [canvas[_tap(offset, counts, stride)] for offset in product(*(range(k) for k in window))]
    return torch.stack(taps, dim=-1)


def _tap(offset: tuple[int, ...], counts: list[int], stride: list[int]) -> tuple[slice, ...]:
    """Element `offset` of every window."""
    steps = [slice(o, o + (n - 1) * s + 1, s) for o, n, s in zip(offset, counts, stride, strict=True)]
    return slice(None), slice(None), *steps


LAYERS: dict[str, LayerFunction] = {
    "POOLING": pooling,
}
