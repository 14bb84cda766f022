"""Discrete Fourier transforms along one axis, as one product with cosines and sines.

A complex value is its real and its imaginary part, two tensors. Both are float32: torch.autocast computes transforms in
float32, too. Source: torch.fft's documentation.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from trtnet.graph import Tensor
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.products.matmul import matmul
from trtnet.ops.shapes.joining import cat
from trtnet.support.text.counted import counted

LONGEST = 4096
"""The table of a transform of n values has up to 4 n^2 numbers: 256 MiB for this n."""


def transform(
    real: Tensor, imaginary: Tensor | None, axis: int, size: int | None, norm: str | None, *, inverse: bool, half: bool
) -> tuple[Tensor, Tensor]:
    """torch.fft.fft, or ifft; with `half`, rfft: only the frequencies from 0 to size // 2.

    imaginary: None for real values. size: how many values are transformed, by default all: further ones are left out,
    missing ones are 0. norm: "forward", "backward" (None) or "ortho". Raises LayerError for an axis of unknown size.
    """
    x, have, n = _values(real, imaginary, axis, size)
    angles = _angles(np.arange(have), np.arange(n // 2 + 1 if half else n), n) * (1 if inverse else -1)
    cosine, sine = np.cos(angles), np.sin(angles)
    table = np.block([[cosine, sine], [-sine, cosine]] if imaginary is not None else [[cosine, sine]])
    found = _product(x, table * _scale(norm, n, inverse), axis)
    middle = table.shape[1] // 2
    return found.narrow(axis, 0, middle), found.narrow(axis, middle, middle)


def real_from_half(real: Tensor, imaginary: Tensor | None, axis: int, size: int | None, norm: str | None) -> Tensor:
    """torch.fft.irfft: the real values whose frequencies from 0 to size // 2 are given.

    size: how many values, by default 2 (frequencies - 1). Raises LayerError for an axis of unknown size.
    """
    n = 2 * (_known(real, axis) - 1) if size is None else size
    x, have, _ = _values(real, imaginary, axis, n // 2 + 1)
    frequencies = np.arange(have)
    angles = _angles(frequencies, np.arange(n), n)
    times = np.where((frequencies == 0) | (2 * frequencies == n), 1.0, 2.0)[:, None]  # each but these is there twice
    parts = [np.cos(angles) * times] + ([-np.sin(angles) * times] if imaginary is not None else [])
    return _product(x, np.concatenate(parts) * _scale(norm, n, inverse=True), axis)


def _values(real: Tensor, imaginary: Tensor | None, axis: int, size: int | None) -> tuple[Tensor, int, int]:
    """The parts in float32, joined along the axis; how many values each has; how many there are to be."""
    have = _known(real, axis)
    n = have if size is None else size
    if not 0 < n <= LONGEST:
        real.network.fail(f"a Fourier transform of {counted(n, 'value')}; 1 to {LONGEST} are written", {"x": real})
    kept = min(have, n)
    parts = [cast(part, "float32") for part in (real, imaginary) if part is not None]
    cut = [part if kept == have else part.narrow(axis, 0, kept) for part in parts]
    return cut[0] if len(cut) == 1 else cat(cut, axis), kept, n


def _known(x: Tensor, axis: int) -> int:
    size = x.shape[axis]
    if not isinstance(size, int):
        text = f"a Fourier transform along axis {axis}, whose size {size} is known only when the engine runs"
        x.network.fail(f"{text}: declare it as an int", {"x": x})
    return size


def _angles(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any], n: int) -> np.ndarray[Any, Any]:
    return 2 * math.pi * (a[:, None] * b[None] % n) / n


def _scale(norm: str | None, n: int, inverse: bool) -> float:
    if norm == "ortho":
        return 1 / math.sqrt(n)
    return 1 / n if inverse == (norm in (None, "backward")) else 1.0


def _product(x: Tensor, table: np.ndarray[Any, Any], axis: int) -> Tensor:
    """Each line of `x` along an axis times a matrix."""
    matrix, place = table.astype(np.float32), axis % x.ndim
    if place == x.ndim - 2:
        return matmul(np.ascontiguousarray(matrix.T), x)
    if place == x.ndim - 1 and x.ndim > 1:
        return matmul(x, matrix)
    return matmul(x.unsqueeze(0).movedim(place + 1, -1), matrix).movedim(-1, place + 1).squeeze(0)
