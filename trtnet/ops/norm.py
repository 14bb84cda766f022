"""Normalization."""

from __future__ import annotations

from typing import Any

import numpy as np

from trtnet.backend import trt
from trtnet.graph import Parameter, Tensor, Weight


def batch_norm(
    x: Tensor,
    running_mean: Parameter,
    running_var: Parameter,
    weight: Parameter | None = None,
    bias: Parameter | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Batch normalization at inference: ``(x - mean) / sqrt(var + eps) * weight + bias`` (Ioffe and Szegedy, 2015).

    x: [batch, channels, ...] of three dimensions or more; the others: [channels]. Mean, variance, weight and bias
    become one scale and one shift a channel, computed in float64 from the checkpoint's own values and rounded once to
    the dtype of `x`. TensorRT fuses them into the convolution before. Layer: IScaleLayer CHANNEL.
    Raises LayerError if a scale or shift does not fit into the dtype of `x`.
    """
    mean, var = _float64(x, running_mean), _float64(x, running_var)
    gain = 1.0 if weight is None else _float64(x, weight)
    scale = gain / np.sqrt(var + eps)
    shift = (0.0 if bias is None else _float64(x, bias)) - mean * scale
    arguments = {"input": x, "mode": trt.ScaleMode.CHANNEL, "channel_axis": 1}
    factors = {"scale": _rounded(x, scale, "scale"), "shift": _rounded(x, shift, "shift")}
    hint = f"batch_norm has {scale.size} channels, its input {x.shape[1]}" if x.shape[1] != scale.size else ""
    (y,) = x.network.add("scale_nd", arguments | factors, name="batch_norm", hint=hint, dims=[x.shape])
    return y


def _float64(x: Tensor, parameter: Parameter) -> np.ndarray[Any, Any]:
    return x.network.array(parameter).astype(np.float64)


def _rounded(x: Tensor, values: np.ndarray[Any, Any], name: str) -> Weight:
    with np.errstate(over="ignore"):
        array = values.astype(np.float32).astype(x.dtype.numpy)
    if np.isfinite(values).all() and not np.isfinite(array.astype(np.float32)).all():
        largest = float(np.abs(values).max())
        x.network.fail(f"batch_norm: its {name} of {largest:.4g} is too large for {x.dtype}", {"x": x})
    return Weight(array)
