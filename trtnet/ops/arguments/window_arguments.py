"""Arguments of sliding windows: strides, dilations and paddings, as torch writes them and as TensorRT takes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trtnet.graph import Dim, Size, Tensor
from trtnet.support.backend import trt

Window = int | Sequence[int]
Padding = int | str | Sequence[int] | Sequence[tuple[int, int]]


def spread(value: Window, rank: int) -> tuple[int, ...]:
    """One number for every axis, also in a sequence, or a number for each axis."""
    if isinstance(value, int | np.integer):
        return (int(value),) * rank
    numbers = tuple(int(n) if isinstance(n, np.integer) else n for n in value)
    return numbers * rank if len(numbers) == 1 else numbers


def geometry(value: Window, rank: int, filler: int) -> tuple[int, ...]:
    """A number an axis; TensorRT has no layers of one axis, so `filler` goes before a single one."""
    values = spread(value, rank)
    return (filler, *values) if rank == 1 else values


def lift(x: Tensor, rank: int) -> tuple[Tensor, bool]:
    """(the input with a height of 1 if it has but a length, whether it has got one)."""
    return (x.unsqueeze(2), True) if rank == 1 else (x, False)


def padding_attributes(x: Tensor, padding: Padding, rank: int, operation: str) -> dict[str, Any]:
    """The layer attributes of a padding: a number, a number an axis, a (before, after) pair an axis, "valid" or "same".

    "same" keeps ceil(size / stride), the odd pixel after the image, which is torch's "same" at stride 1 and
    TensorFlow's at any stride.
    """
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            x.network.fail(f"{operation}: padding is numbers, 'same' or 'valid', found {padding!r}", {"x": x})
        return {"padding_mode": trt.PaddingMode.SAME_UPPER} if padding == "same" else {}
    before, after = pairs(padding, rank)
    return {"pre_padding": before, "post_padding": after}


def in_numbers(padding: Padding, window: Sequence[Size], stride: Window, dilation: Window) -> Padding:
    """What "valid" is, and "same" at stride 1, in numbers: the odd pixel is after the image. Others are as they are."""
    rank = len(window)
    if padding == "valid":
        return 0
    if padding != "same" or spread(stride, rank) != (1,) * rank:
        return padding
    extents = [apart * (int(size) - 1) for apart, size in zip(spread(dilation, rank), window, strict=True)]
    return [(extent // 2, extent - extent // 2) for extent in extents]


def pairs(padding: int | Sequence[Any], rank: int, lifted: bool = False) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(padding before each axis, padding after each axis); none of the height a lifted input has got."""
    sides = [padding] * rank if isinstance(padding, int) else list(padding)
    sides = [0, *sides] if lifted else sides
    both = [(side, side) if isinstance(side, int) else tuple(side) for side in sides]
    return tuple(before for before, _ in both), tuple(after for _, after in both)


def kept(x: Tensor, rank: int, stride: tuple[int, ...], extent: Sequence[int], padding: Padding) -> tuple[Size, ...]:
    """The spatial sizes of `x` where the window leaves them as they are, 1 (not known) elsewhere.

    extent: dilation * (kernel_size - 1) of each axis.
    """
    if padding == "same":
        total = list(extent)
    elif isinstance(padding, str):
        total = [0] * rank
    else:
        total = [before + after for before, after in zip(*pairs(padding, rank), strict=True)]
    sizes = x.shape[-rank:]
    same = [s == 1 and pad == e for s, pad, e in zip(stride, total, extent, strict=True)]
    return tuple(size if isinstance(size, Dim) and keep else 1 for size, keep in zip(sizes, same, strict=True))
