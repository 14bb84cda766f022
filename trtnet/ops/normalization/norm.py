"""Normalization."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trtnet.graph import Dim, Shape, Size, Tensor
from trtnet.graph.sizes.dim import is_static, numel
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import axes_mask, common_type, tensor
from trtnet.ops.elementwise.arithmetic import add, mul
from trtnet.ops.elementwise.division import div
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.elementwise.powers import pow
from trtnet.ops.elementwise.special import clamp
from trtnet.ops.elementwise.unary_functions import rsqrt
from trtnet.ops.formulations import formulated
from trtnet.ops.formulations.facts import mean_facts
from trtnet.ops.normalization.batch_norm import batch_norm
from trtnet.ops.normalization.behind import note_norm
from trtnet.ops.positions.steps import beside, by_position
from trtnet.ops.quantization.activations import normalized
from trtnet.ops.quantization.weights import watch_norm
from trtnet.ops.reductions.moments import norm
from trtnet.ops.reductions.reduce import mean, sum
from trtnet.ops.shapes.pad import pad
from trtnet.ops.shapes.slicing import Cut, cut
from trtnet.ops.shapes.turned import turning
from trtnet.ops.shapes.views import broadcast_tensors
from trtnet.support.backend import supports
from trtnet.support.dtypes import float32
from trtnet.support.text.counted import counted


def layer_norm(
    x: Tensor,
    normalized_shape: Size | Sequence[Size],
    weight: Operand | None = None,
    bias: Operand | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """``(x - mean) / sqrt(var + eps) * weight + bias`` over the last axes, with float32 statistics.

    x: [..., *normalized_shape], floating. normalized_shape: the sizes of the last axes, and the shape of weight and
    bias. Returns the shape and dtype of `x`.
    Layer: INormalizationLayer, by `add_normalization_v2` where the backend has it; other forms:
    ``trtnet.ops.forms.normalization.layer_norm``.
    Raises LayerError for an `x`, weight or bias whose sizes are not normalized_shape.
    Source: Ba et al., 2016, arXiv:1607.06450.

    >>> import numpy as np, trtnet
    >>> class Norm(trtnet.nn.Module):
    ...     def forward(self, x):
    ...         return trtnet.ops.layer_norm(x, 2)
    >>> network = trtnet.define(Norm(), {"x": trtnet.Input((2, 2))})
    >>> network.reference()(np.array([[1, 3], [5, 5]], np.float32)).round(3).tolist()
    [[-1.0, 1.0], [0.0, 0.0]]
    """
    sizes = _last_sizes("layer_norm", x, normalized_shape)
    x = normalized(x, weight)
    scale, shift = (_affine("layer_norm", x, w, fill, sizes) for w, fill in ((weight, 1.0), (bias, 0.0)))
    axes = tuple(range(x.ndim - len(sizes), x.ndim))
    y = watch_norm(_layer_norm(x, axes, scale, shift, eps), weight, bias)
    return note_norm(y, x, axes, weight, bias, eps) if len(axes) == 1 else y


@by_position(beside(lambda given: given["axes"]))
@formulated("layer_norm", "layer")
def _layer_norm(x: Tensor, axes: tuple[int, ...], scale: Tensor, shift: Tensor, eps: float) -> Tensor:
    return norm_layer(x, axes, scale, shift, eps, "layer_norm")


def norm_layer(x: Tensor, axes: tuple[int, ...], scale: Tensor, shift: Tensor, eps: float, name: str) -> Tensor:
    """``(x - mean) / sqrt(var + eps) * scale + shift`` over some axes; scale and shift broadcast to `x`."""
    method = "normalization_v2" if supports("normalization_v2") else "normalization"
    arguments = {"input": x, "scale": scale, "bias": shift, "axesMask": axes_mask(axes)}
    (y,) = x.network.add(method, arguments, attributes={"epsilon": eps}, name=name, dims=[x.shape])
    return y


def _last_sizes(operation: str, x: Tensor, normalized_shape: Size | Sequence[Size]) -> Shape:
    """The sizes of the last axes of `x`, which must be these."""
    given = normalized_shape if isinstance(normalized_shape, Sequence) else (normalized_shape,)
    sizes = tuple(n if isinstance(n, Dim) else int(n) for n in given)
    if not 0 < len(sizes) <= x.ndim or tuple(x.shape[-len(sizes) :]) != sizes:
        found = _text(x.shape[-len(sizes) :] if sizes else x.shape)
        x.network.fail(f"{operation} over {_text(sizes)}, its input ends in {found}", {"x": x})
    return sizes


def _affine(operation: str, x: Tensor, weight: Operand | None, fill: float, sizes: Shape) -> Tensor:
    """A weight of these sizes, or as many `fill` as they broadcast from, in the rank and dtype of `x`."""
    if weight is None:
        return tensor(np.full((1,) * x.ndim, fill, x.dtype.numpy), x.network)
    _check_shape(f"{operation} over {_text(sizes)}", x, weight, sizes)
    return tensor(weight, x.network, x.dtype, x.ndim)


def _check_shape(what: str, x: Tensor, weight: Operand, wanted: Shape) -> None:
    """Raises LayerError for a weight or a bias whose known sizes are others than these."""
    given = tuple(getattr(weight, "shape", ()))
    pairs = zip(given, wanted, strict=False)
    if len(given) != len(wanted) or any(is_static(pair) and pair[0] != pair[1] for pair in pairs):
        x.network.fail(f"{what} got a weight or bias of {_text(given)}", {"x": x, "weight": weight})


def group_norm(
    x: Tensor, num_groups: int, weight: Operand | None = None, bias: Operand | None = None, eps: float = 1e-5
) -> Tensor:
    """Normalization over each group of channels and all positions, with float32 statistics.

    x: [batch, channels, ...], floating. weight, bias: [channels]. Returns the shape and dtype of `x`.
    Layer: INormalizationLayer with num_groups; for a single group, which TensorRT takes as none, over the axes of
    channels and positions. Without `add_normalization_v2`, weight and bias are IElementWiseLayer, since the older layer
    has them for each group. Other forms: ``trtnet.ops.forms.normalization.group_norm``.
    Raises LayerError for a number of channels that the groups do not divide, and for a weight or bias of another size.
    Source: Wu and He, 2018, arXiv:1803.08494.
    """
    channels = x.shape[1] if x.ndim > 1 else x.ndim
    if x.ndim < 2 or not isinstance(channels, int) or num_groups < 1 or channels % num_groups:
        x.network.fail(f"group_norm of {counted(channels, 'channel')} in {counted(num_groups, 'group')}", {"x": x})
    if x.ndim == 2:
        return group_norm(x.unsqueeze(-1), num_groups, weight, bias, eps).squeeze(-1)
    for each in (weight, bias):
        if each is not None:
            _check_shape(f"group_norm of {counted(channels, 'channel')}", x, each, (channels,))
    y = _group_norm(x, num_groups, weight, bias, eps)
    return note_norm(y, x, tuple(range(1, x.ndim)), weight, bias, eps) if num_groups == 1 else y


def _groups(x: Tensor, num_groups: int, *_: object) -> dict[str, int]:
    """The number of groups, the batch, and how many pixels of how many channels are known."""
    return mean_facts(x) | {"groups": num_groups}


@formulated("group_norm", "layer", facts=_groups)
def _group_norm(x: Tensor, num_groups: int, weight: Operand | None, bias: Operand | None, eps: float) -> Tensor:
    channels, found = int(x.shape[1]), turning(x)
    if num_groups == 1:
        scale, shift = (per_channel(x, w, fill, channels) for w, fill in ((weight, 1.0), (bias, 0.0)))
        axes = tuple(range(1, x.ndim))
        if found is not None and found.joins:
            scale, shift = scale.permute(*found.back), shift.permute(*found.back)
            return found.like(norm_layer(found.source, axes, scale, shift, eps, "group_norm"))
        return norm_layer(x, axes, scale, shift, eps, "group_norm")
    native = supports("normalization_v2")
    count = channels if native else num_groups
    own = {"scale": (weight, 1.0), "bias": (bias, 0.0)}
    affine = {name: per_channel(x, w if native else None, fill, count) for name, (w, fill) in own.items()}
    (y,) = x.network.add(
        "normalization_v2" if native else "normalization",
        {"input": x, **affine, "axesMask": axes_mask(tuple(range(2, x.ndim)))},
        attributes={"epsilon": eps, "num_groups": num_groups},
        name="group_norm",
        dims=[x.shape],
    )
    if native:
        return y
    scaled = y if weight is None else mul(y, per_channel(x, weight, 1.0, channels))
    return scaled if bias is None else add(scaled, per_channel(x, bias, 0.0, channels))


def per_channel(x: Tensor, weight: Operand | None, fill: float, count: int) -> Tensor:
    """A weight, or as many `fill`, as [1, channels, 1, ...] in the dtype of `x`."""
    value = tensor(np.full(count, fill, x.dtype.numpy) if weight is None else weight, x.network, x.dtype)
    return value.reshape(1, count, *(1,) * (x.ndim - 2))


def instance_norm(
    x: Tensor,
    running_mean: Operand | None = None,
    running_var: Operand | None = None,
    weight: Operand | None = None,
    bias: Operand | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalization over all positions of each channel; batch_norm with the running statistics without use_input_stats.

    x: [batch, channels, ...] of more than one position, floating. weight, bias, running_mean, running_var: [channels].
    momentum is used in training only. Returns the shape and dtype of `x`.
    Layer: INormalizationLayer with a group for each channel.
    Raises LayerError for a single position, and for missing running statistics.
    Source: Ulyanov et al., 2016, arXiv:1607.08022.
    """
    if not use_input_stats:
        if running_mean is None or running_var is None:
            x.network.fail("instance_norm without use_input_stats needs running_mean and running_var", {"x": x})
        return batch_norm(x, running_mean, running_var, weight, bias, eps=eps)
    if x.ndim < 3 or numel(x.shape[2:]) == 1:
        x.network.fail("instance_norm takes [batch, channels, ...] of more than one position, as torch's", {"x": x})
    channels = x.shape[1]
    if not isinstance(channels, int):
        x.network.fail("instance_norm needs the number of channels", {"x": x})
    return group_norm(x, channels, weight, bias, eps)


def rms_norm(
    x: Tensor, normalized_shape: Size | Sequence[Size], weight: Operand | None = None, eps: float | None = None
) -> Tensor:
    """``x / sqrt(mean(x^2) + eps) * weight`` over the last axes, in float32 up to the product with weight, as in Llama.

    x: [..., *normalized_shape], floating. normalized_shape: the sizes of the last axes, and the shape of weight. eps:
    by default the machine epsilon of float32, of a 16-bit `x` too, as in torch. Returns the shape and dtype of `x`.
    Layer: none, decomposed into IElementWiseLayer, IReduceLayer AVG and IUnaryLayer SQRT and RECIP; other forms:
    ``trtnet.ops.forms.normalization.rms_norm``.
    Raises LayerError for an `x` whose last sizes are not normalized_shape.
    Source: Zhang and Sennrich, 2019, arXiv:1910.07467.
    """
    sizes = _last_sizes("rms_norm", x, normalized_shape)
    y = _rms_norm(x, tuple(range(-len(sizes), 0)), weight, float32.eps if eps is None else eps)
    return watch_norm(y, weight, None)


@by_position(beside(lambda given: given["axes"]))
@formulated("rms_norm", "decomposed")
def _rms_norm(x: Tensor, axes: tuple[int, ...], weight: Operand | None, eps: float) -> Tensor:
    wide = cast(x, "float32")
    normal = cast(mul(wide, inverse_rms(wide, axes, eps)), x.dtype)
    return normal if weight is None else mul(normal, weight)


def inverse_rms(x: Tensor, axes: tuple[int, ...], eps: float) -> Tensor:
    """1 / sqrt(mean(x^2) + eps) over axes, which stay, with the size 1."""
    return rsqrt(add(mean(mul(x, x), axes, keepdim=True), eps))


def normalize(x: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """`x` divided by its p-norm along `dim`, or by eps where that is larger; computed in float32.

    x: any shape, floating. Returns the shape and dtype of `x`.
    Layer: none, decomposed into IReduceLayer SUM, IUnaryLayer and IElementWiseLayer DIV.
    Raises LayerError for a `dim` out of range.
    Source: torch.nn.functional.normalize's documentation.
    """
    wide = cast(x, "float32")
    return cast(div(wide, clamp(norm(wide, p, dim, keepdim=True), min=eps)), x.dtype)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between vectors along `dim`, each norm at least eps; computed in float32.

    x1, x2: shapes [..., n, ...] that broadcast, floating. Returns the broadcast shape [..., ...] without `dim`, in
    torch's promoted dtype.
    Layer: none, decomposed into IReduceLayer SUM, IUnaryLayer and IElementWiseLayer.
    Raises LayerError for shapes that do not broadcast.
    Source: torch.nn.functional.cosine_similarity's documentation.
    """
    kind = common_type("cosine_similarity", x1, x2)
    a, b = (cast(x, "float32") for x in broadcast_tensors(x1, x2))
    lengths = [clamp(norm(x, 2, dim, keepdim=True), min=eps) for x in (a, b)]
    return cast(sum(mul(div(a, lengths[0]), div(b, lengths[1])), dim), kind)


def local_response_norm(x: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """``x / (k + alpha * mean of the squares of the neighbouring channels) ** beta``.

    x: [batch, channels, ...], floating. size: the number of neighbouring channels. Returns the shape and dtype of `x`.
    Layer: ILRNLayer for float32 images and an odd size up to 15; else ISliceLayer and IElementWiseLayer in float32.
    Raises LayerError for integers.
    Source: Krizhevsky et al., 2012, "ImageNet classification with deep convolutional neural networks".
    """
    if not x.dtype.is_floating:
        x.network.fail(
            f"local_response_norm takes a floating tensor, found {x.dtype}; x.float() makes it one", {"x": x}
        )
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
