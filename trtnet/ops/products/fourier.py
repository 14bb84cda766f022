"""Discrete Fourier transforms along one axis, as one product with cosines and sines.

A complex value is its real and its imaginary part, two tensors. Both are float32: torch.autocast computes transforms in
float32, too. Source: torch.fft's documentation.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from trtnet.graph import Size, Tensor
from trtnet.graph.sizes.dim import smallest
from trtnet.ops.create import arange
from trtnet.ops.elementwise.arithmetic import mul
from trtnet.ops.elementwise.comparison import eq, where
from trtnet.ops.elementwise.division import div, remainder
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.elementwise.logic import logical_or
from trtnet.ops.elementwise.unary_functions import cos, sin
from trtnet.ops.products.matmul import matmul
from trtnet.ops.shapes.joining import cat
from trtnet.support.text.counted import counted

LONGEST = 4096
"""The table of a transform of n values has up to 4 n^2 numbers: 256 MiB for this n."""


def transform(
    real: Tensor, imaginary: Tensor | None, axis: int, size: Size | None, norm: str | None, *, inverse: bool, half: bool
) -> tuple[Tensor, Tensor]:
    """torch.fft.fft, or ifft; with `half`, rfft: only the frequencies from 0 to size // 2.

    imaginary: None for real values. size: how many values are transformed, by default all: further ones are left out,
    missing ones are 0. norm: "forward", "backward" (None) or "ortho".
    """
    x, have, n = _values(real, imaginary, axis, size)
    cosine, sine = _angles(x, have, n // 2 + 1 if half else n, n)
    sine = sine if inverse else -sine
    table = _joined([cosine, sine], 1)
    if imaginary is not None:
        table = _joined([table, _joined([-sine, cosine], 1)], 0)
    found = _transformed(x, table, axis, norm, n, inverse=inverse)
    middle = n // 2 + 1 if half else n
    return found.narrow(axis, 0, middle), found.narrow(axis, middle, middle)


def real_from_half(real: Tensor, imaginary: Tensor | None, axis: int, size: Size | None, norm: str | None) -> Tensor:
    """torch.fft.irfft: the real values whose frequencies from 0 to size // 2 are given.

    size: how many values, by default 2 (frequencies - 1).
    """
    n = 2 * (real.shape[axis] - 1) if size is None else size
    x, have, _ = _values(real, imaginary, axis, n // 2 + 1)
    cosine, sine = _angles(x, have, n, n)
    times = _times(x, have, n)
    parts = [cosine * times] + ([-sine * times] if imaginary is not None else [])
    return _transformed(x, _joined(parts, 0), axis, norm, n, inverse=True)


def _values(real: Tensor, imaginary: Tensor | None, axis: int, size: Size | None) -> tuple[Tensor, Size, Size]:
    """The parts in float32, joined along the axis; how many values each has; how many there are to be."""
    have = real.shape[axis]
    n = have if size is None else size
    if isinstance(n, int) and not 0 < n <= LONGEST:
        real.network.fail(f"a Fourier transform of {counted(n, 'value')}; 1 to {LONGEST} are written", {"x": real})
    kept = have if have == n else smallest(have, n)
    parts = [cast(part, "float32") for part in (real, imaginary) if part is not None]
    cut = [part if kept == have else part.narrow(axis, 0, kept) for part in parts]
    return cut[0] if len(cut) == 1 else cat(cut, axis), kept, n


def _angles(x: Tensor, rows: Size, columns: Size, n: Size) -> tuple[Any, Any]:
    """The cosines and the sines of 2 pi a b / n, for each row a and column b."""
    if isinstance(rows, int) and isinstance(columns, int) and isinstance(n, int):
        angles = 2 * math.pi * (np.arange(rows)[:, None] * np.arange(columns)[None] % n) / n
        return np.cos(angles), np.sin(angles)
    steps = mul(arange(rows, network=x.network).unsqueeze(1), arange(columns, network=x.network).unsqueeze(0))
    turns = mul(div(cast(remainder(steps, n), "float32"), n), 2 * math.pi)
    return cos(turns), sin(turns)


def _times(x: Tensor, count: Size, n: Size) -> Any:
    """How often each frequency is there: all twice but 0 and half of n. [frequencies, 1]"""
    if isinstance(count, int) and isinstance(n, int):
        known = np.arange(count)[:, None]
        return np.where((known == 0) | (2 * known == n), 1.0, 2.0)
    places = arange(count, network=x.network).unsqueeze(1)
    return where(logical_or(eq(places, 0), eq(mul(places, 2), n)), 1.0, 2.0)


def _joined(parts: list[Any], axis: int) -> Any:
    return cat(parts, axis) if isinstance(parts[0], Tensor) else np.concatenate(parts, axis)


def _transformed(x: Tensor, table: Any, axis: int, norm: str | None, n: Size, *, inverse: bool) -> Tensor:
    """Each line of `x` along an axis times a matrix, scaled."""
    if norm != "ortho" and inverse != (norm in (None, "backward")):
        return _product(x, table, axis)
    by: Any = n**0.5 if norm == "ortho" else n
    return _product(x, table * (1 / by), axis) if isinstance(n, int) else div(_product(x, table, axis), by)


def _product(x: Tensor, table: Any, axis: int) -> Tensor:
    """Each line of `x` along an axis times a matrix."""
    place = axis % x.ndim
    matrix = table if isinstance(table, Tensor) else table.astype(np.float32)
    if place == x.ndim - 2:
        return matmul(matrix.transpose(0, 1) if isinstance(matrix, Tensor) else np.ascontiguousarray(matrix.T), x)
    if place == x.ndim - 1 and x.ndim > 1:
        return matmul(x, matrix)
    return matmul(x.unsqueeze(0).movedim(place + 1, -1), matrix).movedim(-1, place + 1).squeeze(0)
