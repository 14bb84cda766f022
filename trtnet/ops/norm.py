"""Normalization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trtnet.backend import supports, trt
from trtnet.dtypes import float32
from trtnet.graph import Parameter, Tensor, Weight
from trtnet.graph.tensor import Operand
from trtnet.ops.elementwise import add, cast, clamp, div, mul, pow, rsqrt
from trtnet.ops.operands import axes_mask, tensor
from trtnet.ops.pad import pad
from trtnet.ops.reduce import mean, norm, sum
from trtnet.ops.slicing import Cut, cut


def batch_norm(
    x: Tensor,
    running_mean: Parameter,
    running_var: Parameter,
    weight: Parameter | None = None,
    bias: Parameter | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Batch normalization at inference: ``(x - mean) / sqrt(var + eps) * weight + bias`` (Ioffe and Szegedy, 2015).

    x: [batch, channels, ...] of three dimensions or more; the others: [channels]. Mean, variance, weight and bias
    become one scale and one shift a channel, computed in float64 from the checkpoint's own values. Where `x` comes from
    a convolution, they go into its weights, rounded once to the dtype of `x` (TensorRT-RTX would multiply and add in
    every pass), and the convolution is made again with them; a network in which nothing else reads the first one does
    not run it. Layer: IConvolutionLayer, else IScaleLayer CHANNEL.
    momentum is training's. Raises LayerError if a scale or shift does not fit into the dtype of `x`, and for training.
    """
    if training:
        x.network.fail("batch_norm of a network at inference takes no statistics: training=False", {"x": x})
    mean, var = _float64(x, running_mean), _float64(x, running_var)
    gain = 1.0 if weight is None else _float64(x, weight)
    scale = gain / np.sqrt(var + eps)
    shift = (0.0 if bias is None else _float64(x, bias)) - mean * scale
    folded = _into_convolution(x, scale, shift)
    if folded is not None:
        return folded
    arguments = {"input": x, "mode": trt.ScaleMode.CHANNEL, "channel_axis": 1}
    factors = {"scale": _rounded(x, scale, "scale"), "shift": _rounded(x, shift, "shift")}
    hint = f"batch_norm has {scale.size} channels, its input {x.shape[1]}" if x.shape[1] != scale.size else ""
    (y,) = x.network.add("scale_nd", arguments | factors, name="batch_norm", hint=hint, dims=[x.shape])
    return y


def _into_convolution(x: Tensor, scale: np.ndarray[Any, Any], shift: np.ndarray[Any, Any]) -> Tensor | None:
    """The convolution that made `x`, with a scale and a shift in its weights; None if there is none that can."""
    made_by = x.network.convolutions.get(x.trt)
    if made_by is None or x.shape[1] != scale.size:
        return None
    kernel = _float64(x, made_by.weight)
    kernel *= scale.reshape(-1, *[1] * (x.ndim - 1))
    bias = shift if made_by.bias is None else _float64(x, made_by.bias) * scale + shift
    with np.errstate(over="ignore"):
        weights = [values.astype(np.float32).astype(x.dtype.numpy) for values in (kernel, bias)]
    if not all(np.isfinite(array).all() for array in weights):
        return None
    x.network.merged[x.trt] = x.network.path
    with x.network.scope(made_by.path):
        return made_by.again(weights[0], weights[1])


def _float64(x: Tensor, values: Parameter | np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return (x.network.array(values) if isinstance(values, Parameter) else values).astype(np.float64)


def _rounded(x: Tensor, values: np.ndarray[Any, Any], name: str) -> Weight:
    with np.errstate(over="ignore"):
        array = values.astype(np.float32).astype(x.dtype.numpy)
    if np.isfinite(values).all() and not np.isfinite(array.astype(np.float32)).all():
        largest = float(np.abs(values).max())
        x.network.fail(f"batch_norm: its {name} of {largest:.4g} is too large for {x.dtype}", {"x": x})
    return Weight(array)


def layer_norm(
    x: Tensor,
    normalized_shape: int | Sequence[int],
    weight: Parameter | None = None,
    bias: Parameter | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """``(x - mean) / sqrt(var + eps) * weight + bias`` over the last axes (Ba et al., 2016).

    normalized_shape: their sizes, and the shape of weight and bias. The statistics are float32 whatever the dtype.
    Layer: INormalizationLayer, of `add_normalization_v2` where the backend has it.
    """
    sizes = _last_sizes("layer_norm", x, normalized_shape)
    axes = axes_mask(tuple(range(x.ndim - len(sizes), x.ndim)))
    scale, shift = (_affine(x, w, fill, sizes) for w, fill in ((weight, 1.0), (bias, 0.0)))
    method = "normalization_v2" if supports("normalization_v2") else "normalization"
    arguments = {"input": x, "scale": scale, "bias": shift, "axesMask": axes}
    (y,) = x.network.add(method, arguments, attributes={"epsilon": eps}, name="layer_norm", dims=[x.shape])
    return y


def _last_sizes(operation: str, x: Tensor, normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    """The sizes of the last axes of `x`, which must be these."""
    sizes = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if tuple(x.shape[-len(sizes) :]) != sizes:
        x.network.fail(f"{operation} over {list(sizes)}, its input ends in {_text(x.shape[-len(sizes) :])}", {"x": x})
    return sizes


def _affine(x: Tensor, weight: Parameter | None, fill: float, sizes: tuple[int, ...]) -> Tensor:
    value = np.full(sizes, fill, x.dtype.numpy) if weight is None else weight
    return tensor(value, x.network, x.dtype, x.ndim)


def group_norm(
    x: Tensor, num_groups: int, weight: Parameter | None = None, bias: Parameter | None = None, eps: float = 1e-5
) -> Tensor:
    """Normalization over each group of channels and all positions (Wu and He, 2018).

    x: [batch, channels, ...]. weight, bias: [channels]. The statistics are float32 whatever the dtype.
    Layer: INormalizationLayer with num_groups; without `add_normalization_v2`, its scale and bias are layers of their
    own, since those of the older layer belong to groups.
    """
    channels = x.shape[1]
    if not isinstance(channels, int) or channels % num_groups:
        x.network.fail(f"group_norm of {channels} channels in {num_groups} groups", {"x": x})
    native = supports("normalization_v2")
    axes = axes_mask(tuple(range(2, x.ndim)))
    count = channels if native else num_groups
    own = {"scale": (weight, 1.0), "bias": (bias, 0.0)}
    affine = {name: _per_channel(x, w if native else None, fill, count) for name, (w, fill) in own.items()}
    (y,) = x.network.add(
        "normalization_v2" if native else "normalization",
        {"input": x, **affine, "axesMask": axes},
        attributes={"epsilon": eps, "num_groups": num_groups},
        name="group_norm",
        dims=[x.shape],
    )
    if native:
        return y
    scaled = y if weight is None else mul(y, _per_channel(x, weight, 1.0, channels))
    return scaled if bias is None else add(scaled, _per_channel(x, bias, 0.0, channels))


def _per_channel(x: Tensor, weight: Parameter | None, fill: float, count: int) -> Tensor:
    """[1, channels, 1, ...]"""
    value = tensor(np.full(count, fill, x.dtype.numpy) if weight is None else weight, x.network, x.dtype)
    return value.reshape(1, count, *(1,) * (x.ndim - 2))


def instance_norm(
    x: Tensor,
    running_mean: Parameter | None = None,
    running_var: Parameter | None = None,
    weight: Parameter | None = None,
    bias: Parameter | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalization over all positions of each channel (Ulyanov et al., 2016): group_norm with a group a channel.

    Without use_input_stats it is batch_norm with the running statistics. momentum is training's.
    """
    if not use_input_stats:
        if running_mean is None or running_var is None:
            x.network.fail("instance_norm without use_input_stats needs running_mean and running_var", {"x": x})
        return batch_norm(x, running_mean, running_var, weight, bias, eps=eps)
    channels = x.shape[1]
    if not isinstance(channels, int):
        x.network.fail("instance_norm needs the number of channels", {"x": x})
    return group_norm(x, channels, weight, bias, eps)


def rms_norm(
    x: Tensor, normalized_shape: int | Sequence[int], weight: Operand | None = None, eps: float | None = None
) -> Tensor:
    """``x / sqrt(mean(x^2) + eps) * weight`` over the last axes, in float32 up to the product with weight.

    normalized_shape: their sizes, and the shape of weight. eps: by default the spacing of the dtype of `x` at 1, as in
    torch (Zhang and Sennrich, 2019; rounded where Llama rounds).
    """
    sizes = _last_sizes("rms_norm", x, normalized_shape)
    epsilon = x.dtype.eps if eps is None else eps
    wide = cast(x, "float32")
    squares = mean(mul(wide, wide), tuple(range(-len(sizes), 0)), keepdim=True)
    inverse = rsqrt(add(squares, epsilon))
    normal = cast(mul(wide, inverse), x.dtype)
    return normal if weight is None else mul(normal, weight)


def normalize(x: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """`x` over its p-norm along `dim`, at least eps; in float32."""
    wide = cast(x, "float32")
    return cast(div(wide, clamp(norm(wide, p, dim, keepdim=True), min=eps)), x.dtype)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between vectors along `dim`, each norm at least eps; in float32."""
    a, b = (cast(x, "float32") for x in (x1, x2))
    lengths = [clamp(norm(x, 2, dim, keepdim=True), min=eps) for x in (a, b)]
    return cast(sum(mul(div(a, lengths[0]), div(b, lengths[1])), dim), x1.dtype)


def local_response_norm(x: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """x over ``(k + alpha * mean of its squares over the channels around) ** beta`` (Krizhevsky et al., 2012).

    x: [batch, channels, ...]. size: the number of channels. Layer: ILRNLayer for an odd size up to 15 of float32
    images, else slices, sums and a power, in float32.
    """
    if size % 2 and size <= 15 and x.ndim == 4 and x.dtype == float32:
        arguments = {"input": x, "window": size, "alpha": alpha, "beta": beta, "k": k}
        (y,) = x.network.add("lrn", arguments, name="local_response_norm", dims=[x.shape])
        return y
    wide = cast(x, float32)
    around = pad(mul(wide, wide), [0, 0] * (x.ndim - 2) + [size // 2, (size - 1) // 2])
    total = cut(around, {1: Cut(0, x.shape[1])})
    for i in range(1, size):
        total = add(total, cut(around, {1: Cut(i, x.shape[1])}))
    return cast(div(wide, pow(add(mul(total, alpha / size), k), beta)), x.dtype)


def _text(shape: Sequence[object]) -> str:
    return f"[{', '.join(map(str, shape))}]"
