"""Fourier transforms of a PyTorch module: torch.fft's, stft and istft."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trtnet import ops
from trtnet.definition.torch_module.complex_numbers.numbers import Number, full, number
from trtnet.graph import OpenNetwork, Parameter, Tensor
from trtnet.ops.products import fourier
from trtnet.support.errors import ModelError
from trtnet.support.source import here

KINDS = tuple(f"{kind}{axes}" for kind in ("fft", "ifft", "rfft", "irfft") for axes in ("", "2", "n"))
"""torch.fft's functions that are written."""


def transform(kind: str, x: Any, size: Any = None, dim: Any = None, norm: str | None = None) -> Number | Tensor:
    """torch.fft's function `kind` of a tensor: axis by axis, of rfft the last one first, of irfft the last one last."""
    real, imaginary = number(x).real, number(x).imaginary
    axes, sizes = _axes(kind, real.ndim, size, dim)
    inverse = "ifft" in kind or "irfft" in kind
    if "rfft" not in kind:
        for axis, n in zip(axes, sizes, strict=True):
            real, imaginary = fourier.transform(real, imaginary, axis, n, norm, inverse=inverse, half=False)
        return Number(real, imaginary)
    if not inverse and imaginary is not None:
        raise ModelError(here(f"torch.fft.{kind} takes real values, found complex ones"))
    if not inverse:
        real, imaginary = fourier.transform(real, None, axes[-1], sizes[-1], norm, inverse=False, half=True)
    for axis, n in zip(axes[:-1], sizes[:-1], strict=True):
        real, imaginary = fourier.transform(real, imaginary, axis, n, norm, inverse=inverse, half=False)
    return fourier.real_from_half(real, imaginary, axes[-1], sizes[-1], norm) if inverse else Number(real, imaginary)


def _axes(kind: str, rank: int, size: Any, dim: Any) -> tuple[Sequence[int], Sequence[int | None]]:
    """The axes of a transform, and how many values are transformed along each."""
    if kind.endswith("fft"):
        return [-1 if dim is None else dim], [size]
    sizes = None if size is None else [size] if isinstance(size, int) else list(size)
    if dim is not None:
        axes = [dim] if isinstance(dim, int) else list(dim)
    elif kind.endswith("2"):
        axes = [-2, -1]
    else:
        axes = list(range(-rank if sizes is None else -len(sizes), 0))
    return axes, [None] * len(axes) if sizes is None else [None if n == -1 else n for n in sizes]


def shifted(x: Tensor, dim: Any = None, *, back: bool = False) -> Tensor:
    """torch.fft.fftshift, or `back`, ifftshift."""
    axes = range(x.ndim) if dim is None else [dim] if isinstance(dim, int) else dim
    by = [x.shape[axis] // 2 for axis in axes]
    return ops.roll(x, [-n if back else n for n in by], list(axes))


def stft(x: Any, *args: Any, **named: Any) -> Number | Tensor:
    """torch.stft of a signal of the network; complex where it is asked for."""
    names = "n_fft hop_length win_length window center pad_mode normalized onesided return_complex align_to_window"
    given = dict(zip(names.split(), args, strict=False)) | named
    if not given.pop("return_complex", None):
        return ops.stft(x, return_complex=False, **given)
    pair = ops.stft(ops.cast(x, "float32"), return_complex=False, **given)
    return Number(pair.select(-1, 0), pair.select(-1, 1))


def istft(
    x: Any,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Any = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: int | None = None,
    return_complex: bool = False,
) -> Tensor:
    """torch.istft: frames that overlap, each times the window, over the sum of the squared windows.

    x: [frequencies, frames] or [batch, frequencies, frames]. Raises ModelError for an unknown number of frames, and for
    spectra of both signs.
    """
    real, imaginary = full(number(x))
    frames, hop, wide = real.shape[-1], hop_length or n_fft // 4, win_length or n_fft
    if return_complex or onesided is False or not isinstance(frames, int):
        text = "torch.istft is written for a known number of frames and one-sided spectra of real signals"
        raise ModelError(here(text))
    lines = fourier.real_from_half(real, imaginary, -2, n_fft, "ortho" if normalized else None)
    shape = np.pad(_window(real.network, window, wide), ((n_fft - wide) // 2, n_fft - wide - (n_fft - wide) // 2))
    whole = n_fft + hop * (frames - 1)
    columns = lines * shape[:, None].astype(np.float32)
    batch = columns if columns.ndim == 3 else columns.unsqueeze(0)
    signal = ops.fold(batch, (1, whole), (1, n_fft), stride=(1, hop)).reshape(batch.shape[0], whole)
    weights = np.zeros(whole)
    for frame in range(frames):
        weights[frame * hop : frame * hop + n_fft] += shape**2
    first = n_fft // 2 if center else 0
    last = min(whole, first + length) if length is not None else whole - first
    if weights[first:last].min() < 1e-11:
        raise ModelError(here("torch.istft: the windows leave out a part of the signal, as torch says, too"))
    found = signal[:, first:last] / weights[first:last].astype(np.float32)
    found = found if length is None else ops.pad(found, (0, first + length - last))
    return found if columns.ndim == 3 else found.squeeze(0)


def _window(network: OpenNetwork, window: Any, length: int) -> np.ndarray[Any, Any]:
    if window is None:
        return np.ones(length)
    if isinstance(window, Tensor):
        raise ModelError(here("torch.istft takes a window that is known: a buffer or a tensor that torch makes"))
    found = network.array(window) if isinstance(window, Parameter) else np.asarray(window)
    return found.astype(np.float64)
