"""Batch normalization: constants of each channel, which go into a convolution before it, or tensors of the network."""

from __future__ import annotations

from typing import Any

import numpy as np

from trtnet.graph import Parameter, Tensor
from trtnet.graph.memory.pending import PendingLayer
from trtnet.graph.quantized import NormUse
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import tensor
from trtnet.ops.convolutions.batch_norm_folding import BatchNorm, fits, folded
from trtnet.ops.elementwise.arithmetic import add, mul, sub
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.elementwise.unary_functions import rsqrt
from trtnet.ops.reductions.reduce import mean
from trtnet.support.arrays import values
from trtnet.support.text.counted import counted

Array = np.ndarray[Any, Any]


def batch_norm(
    x: Tensor,
    running_mean: Operand | None,
    running_var: Operand | None,
    weight: Operand | None = None,
    bias: Operand | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """``(x - mean) / sqrt(var + eps) * weight + bias`` of each channel, at inference.

    x: [batch, channels, ...] of two dimensions or more, floating. The others: [channels], floating. Mean, variance,
    weight and bias become one scale and one shift for each channel, computed in float64 from the checkpoint's own
    values. With training and without running statistics, those of `x` over all axes but the channels are used, as in
    weight standardization. momentum is used in training only. Returns the shape and dtype of `x`.
    Layer: none where `x` is the result of a convolution that nothing else reads, before or afterwards: its weights take
    the factors, rounded once to their dtype, since TensorRT-RTX would multiply and add in every pass. Else IScaleLayer
    CHANNEL; where a factor is a tensor of the network, IElementWiseLayer in float32.
    Raises LayerError for a factor outside the range of the dtype of `x`, for statistics of another size than the
    channels, and for training with running statistics.
    Source: Ioffe and Szegedy, 2015, arXiv:1502.03167.
    """
    given = {"running_mean": running_mean, "running_var": running_var, "weight": weight, "bias": bias}
    _check(x, given, training)
    if training:
        return _by_own_statistics(x, weight, bias, eps)
    if x.ndim == 2:
        return batch_norm(x.unsqueeze(-1), running_mean, running_var, weight, bias, eps=eps).squeeze(-1)
    if any(isinstance(operand, Tensor) for operand in given.values()):
        return _by_tensors(x, given, eps)
    average, var = _float64(x, running_mean), _float64(x, running_var)
    gain = 1.0 if weight is None else _float64(x, weight)
    scale = gain / np.sqrt(var + eps)
    shift = (0.0 if bias is None else _float64(x, bias)) - average * scale
    before = x.current
    convolution = folded(x, scale, shift)
    if convolution is not None:
        _watch(x, before, given, eps)
        return convolution
    for name, exact in {"scale": scale, "shift": shift}.items():
        _check_range(x, exact, name)
    return BatchNorm(scale, shift, x.network.place).layer(x)


def _watch(x: Tensor, before: object, given: dict[str, Operand | None], eps: float) -> None:
    """Notes the batch norm for the weight of the convolution that took it, where that is to be known."""
    watched = x.network.quantized.watched
    if watched is None or not isinstance(before, PendingLayer) or before.taken is None:
        return
    key, kernel = x.network.key, before.offer.kernel
    if isinstance(kernel, Parameter) and all(w is None or isinstance(w, Parameter) for w in given.values()):
        names = {name: key(w) if isinstance(w, Parameter) else "" for name, w in given.items()}
        use = NormUse(
            names["running_mean"], names["running_var"], names["weight"], names["bias"], eps,
            lambda: before.taken is not None,
        )  # fmt: skip
        watched.norms.setdefault(key(kernel), []).append(use)


def _check(x: Tensor, given: dict[str, Operand | None], training: bool) -> None:
    if x.ndim < 2:
        x.network.fail(f"batch_norm takes [batch, channels, ...], found {counted(x.ndim, 'dimension')}", {"x": x})
    statistics = [given[name] is not None for name in ("running_mean", "running_var")]
    if training and any(statistics):
        text = "training=True would change the running statistics; at inference it is False, or they are None"
        x.network.fail(f"batch_norm: {text}", {"x": x})
    if not training and not all(statistics):
        x.network.fail("batch_norm needs running_mean and running_var, unless training=True", {"x": x})
    for name, operand in given.items():
        shape = tuple(getattr(operand, "shape", ()))
        known = isinstance(x.shape[1], int) and all(isinstance(n, int) for n in shape)
        if operand is not None and (len(shape) != 1 or (known and shape != (x.shape[1],))):
            text = (
                f"{name} has {counted(shape[0] if len(shape) == 1 else list(shape), 'channel')}, its input {x.shape[1]}"
            )
            x.network.fail(f"batch_norm: {text}", {"x": x, name: operand})


def _by_tensors(x: Tensor, given: dict[str, Operand | None], eps: float) -> Tensor:
    wide = {name: None if v is None else tensor(v, x.network).to("float32") for name, v in given.items()}
    average, var = wide["running_mean"], wide["running_var"]
    assert average is not None and var is not None
    inverse = rsqrt(add(var, eps))
    scale = inverse if wide["weight"] is None else mul(wide["weight"], inverse)
    shift = mul(average, scale)
    shift = mul(shift, -1) if wide["bias"] is None else sub(wide["bias"], shift)
    shape = (1, -1, *(1,) * (x.ndim - 2))
    return cast(add(mul(cast(x, "float32"), scale.reshape(shape)), shift.reshape(shape)), x.dtype)


def _by_own_statistics(x: Tensor, weight: Operand | None, bias: Operand | None, eps: float) -> Tensor:
    axes = tuple(a for a in range(x.ndim) if a != 1)
    wide = cast(x, "float32")
    centred = sub(wide, mean(wide, axes, keepdim=True))
    y = mul(centred, rsqrt(add(mean(mul(centred, centred), axes, keepdim=True), eps)))
    shape = (1, -1, *(1,) * (x.ndim - 2))
    y = y if weight is None else mul(y, tensor(weight, x.network).to("float32").reshape(shape))
    y = y if bias is None else add(y, tensor(bias, x.network).to("float32").reshape(shape))
    return cast(y, x.dtype)


def _float64(x: Tensor, weight: Any) -> Array:
    """A copy of constant values."""
    return (x.network.array(weight) if isinstance(weight, Parameter) else values(weight)).astype(np.float64)


def _check_range(x: Tensor, exact: Array, name: str) -> None:
    if np.isfinite(exact).all() and not fits(exact, x.dtype):
        largest = float(np.abs(exact).max())
        x.network.fail(f"batch_norm: its {name} of {largest:.4g} is too large for {x.dtype}", {"x": x})
