"""Spectra, as products with cosines and sines."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from trtnet.graph import OpenNetwork, Parameter, Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.convolutions.conv import conv1d
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.shapes.joining import stack
from trtnet.ops.shapes.pad import pad
from trtnet.support import arrays
from trtnet.support.text.counted import counted


def stft(
    x: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Operand | None = None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Tensor:
    """The short-time Fourier transform of a signal, torch's stft as torch.view_as_real gives it; computed in float32.

    x: [length] or [batch, length], floating. window: constant [win_length], ones by default. Returns [..., frequencies,
    frames, 2], in the dtype of `x`: TensorRT has no complex numbers, so the last axis holds the real and the imaginary
    part.
    Layer: IConvolutionLayer, with a cosine and a sine kernel for each frequency, and IConcatenationLayer of both parts.
    Raises LayerError for return_complex=True, for another rank, and for a window that is a tensor of the network.
    Source: torch.stft's documentation.
    """
    network, named = x.network, {"x": x}
    if return_complex:
        text = "stft: TensorRT has no complex numbers; with return_complex=False the last axis is (real, imaginary)"
        network.fail(text, named)
    if x.ndim not in (1, 2) or align_to_window:
        network.fail("stft takes [length] or [batch, length], and no align_to_window", named)
    length = n_fft if win_length is None else win_length
    hop = n_fft // 4 if hop_length is None else hop_length
    if not 0 < length <= n_fft or hop <= 0:
        network.fail(f"stft takes 0 < win_length <= n_fft and hop_length > 0, found {length}, {n_fft}, {hop}", named)
    kernel = _kernel(_window(network, window, length, n_fft), onesided is None or onesided, normalized)
    signal = cast(x, "float32").reshape(*((1, 1, -1) if x.ndim == 1 else (x.shape[0], 1, x.shape[1])))
    if center:
        signal = pad(signal, (n_fft // 2, n_fft // 2), pad_mode)
    parts = conv1d(signal, kernel, stride=hop)  # [batch, 2 * frequencies, frames]
    count = kernel.shape[0] // 2
    spectrum = stack([parts[:, :count], parts[:, count:]], -1)
    return cast(spectrum.squeeze(0) if x.ndim == 1 else spectrum, x.dtype)


def _window(network: OpenNetwork, window: Operand | None, length: int, n_fft: int) -> np.ndarray[Any, Any]:
    """The window with zeros on both sides up to n_fft."""
    if isinstance(window, Tensor):
        network.fail("stft takes a window that is known: a buffer or an array", {"window": window})
    given = (
        network.array(window)
        if isinstance(window, Parameter)
        else arrays.values(np.ones(length) if window is None else window)
    )
    if given.shape != (length,):
        network.fail(f"stft takes a window of win_length={counted(length, 'number')}, found {list(given.shape)}", {})
    before = (n_fft - length) // 2
    return np.pad(given.astype(np.float64), (before, n_fft - length - before))


def _kernel(window: np.ndarray[Any, Any], onesided: bool, normalized: bool) -> np.ndarray[Any, Any]:
    """[2 * frequencies, 1, n_fft]: cosines, then sines, of all frequencies."""
    n = len(window)
    frequencies = np.arange(n // 2 + 1 if onesided else n)
    angles = 2 * math.pi * (frequencies[:, None] * np.arange(n)[None] % n) / n
    scale = 1 / math.sqrt(n) if normalized else 1.0
    waves = np.concatenate([np.cos(angles), -np.sin(angles)]) * window * scale
    return waves[:, None].astype(np.float32)
