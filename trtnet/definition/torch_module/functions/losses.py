"""torch's losses, which some modules give beside their results: formulas of torch.nn.functional's documentation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from trtnet import ops
from trtnet.graph import Tensor
from trtnet.support.errors import ModelError
from trtnet.support.source import here


def _reduced(each: Tensor, reduction: str) -> Tensor:
    if reduction == "none":
        return each
    if reduction not in ("mean", "sum"):
        raise ModelError(here(f"reduction is none, mean or sum, found {reduction!r}"))
    found: Tensor = getattr(ops, reduction)(each)
    return found


def _of_difference(measure: Callable[..., Tensor], *names: str) -> Callable[..., Tensor]:
    """A loss of what tells two tensors apart. names: those of its numbers."""

    def loss(x: Tensor, target: Tensor, *_: Any, reduction: str = "mean", **numbers: Any) -> Tensor:
        known = {name: numbers[name] for name in names if name in numbers}
        each = measure(ops.sub(x, target), **known)
        weight = numbers.get("weight")
        return _reduced(each if weight is None else ops.mul(each, weight), reduction)

    return loss


def _smooth(difference: Tensor, beta: float = 1.0) -> Tensor:
    size = ops.abs(difference)
    if beta == 0:
        return size
    return ops.where(size < beta, ops.square(difference) * (0.5 / beta), size - 0.5 * beta)


def _huber(difference: Tensor, delta: float = 1.0) -> Tensor:
    size = ops.abs(difference)
    return ops.where(size <= delta, ops.square(difference) * 0.5, (size - 0.5 * delta) * delta)


def nll_loss(
    x: Tensor, target: Tensor, weight: Any = None, _: Any = None, ignore_index: int = -100, *__: Any,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """x: log-probabilities [batch, classes, ...]. target: classes [batch, ...]."""
    axis = 1 if x.ndim > 1 else 0
    kept = ops.ne(target, ignore_index)
    places = ops.where(kept, target, 0)
    found = ops.neg(ops.gather(x, axis, ops.cast(places, "int64").unsqueeze(axis)).squeeze(axis))
    shares = ops.cast(kept, x.dtype)
    if weight is not None:
        shares = ops.mul(shares, ops.cast(ops.as_tensor(weight)[ops.cast(places, "int64")], x.dtype))
    each = ops.where(kept, ops.mul(found, shares), 0)
    return ops.div(ops.sum(each), ops.sum(shares)) if reduction == "mean" else _reduced(each, reduction)


def cross_entropy(
    x: Tensor, target: Tensor, weight: Any = None, _: Any = None, ignore_index: int = -100, *__: Any,
    reduction: str = "mean", label_smoothing: float = 0.0,
) -> Tensor:  # fmt: skip
    """x: scores [batch, classes, ...]. target: classes [batch, ...], or probabilities like `x`."""
    axis = 1 if x.ndim > 1 else 0
    logs = ops.log_softmax(x, axis)
    if target.dtype.is_floating:
        return _of_probabilities(logs, target, weight, axis, reduction, label_smoothing)
    plain = nll_loss(logs, target, weight, None, ignore_index, reduction=reduction)
    if not label_smoothing:
        return plain
    if weight is not None:
        raise ModelError(
            here("cross_entropy with weights of classes and label_smoothing is not written: leave one out")
        )
    kept = ops.cast(ops.ne(target, ignore_index), x.dtype)
    even = ops.mul(ops.neg(ops.mean(logs, axis)), kept)
    even = ops.div(ops.sum(even), ops.sum(kept)) if reduction == "mean" else _reduced(even, reduction)
    return plain * (1 - label_smoothing) + even * label_smoothing


def _of_probabilities(
    logs: Tensor, target: Tensor, weight: Any, axis: int, reduction: str, label_smoothing: float
) -> Tensor:
    classes = logs.shape[axis]
    wanted = target * (1 - label_smoothing) + label_smoothing / classes if label_smoothing else target
    if weight is not None:
        wanted = wanted * ops.as_tensor(weight).reshape(*(-1 if a == axis else 1 for a in range(logs.ndim)))
    each = ops.neg(ops.sum(ops.mul(logs, wanted), axis))
    return _reduced(each, reduction)


def binary_cross_entropy(x: Tensor, target: Tensor, weight: Any = None, *_: Any, reduction: str = "mean") -> Tensor:
    """x: probabilities, whose logarithms are at least -100."""
    first, second = (ops.clamp(ops.log(each), min=-100.0) for each in (x, 1 - x))
    each = ops.neg(target * first + (1 - target) * second)
    return _reduced(each if weight is None else each * weight, reduction)


def binary_cross_entropy_with_logits(
    x: Tensor, target: Tensor, weight: Any = None, *_: Any, reduction: str = "mean", pos_weight: Any = None
) -> Tensor:
    """x: scores."""
    first, second = ops.logsigmoid(x), ops.logsigmoid(ops.neg(x))
    wanted = target if pos_weight is None else target * pos_weight
    each = ops.neg(wanted * first + (1 - target) * second)
    return _reduced(each if weight is None else each * weight, reduction)


def kl_div(x: Tensor, target: Tensor, *_: Any, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """x: log-probabilities. target: probabilities, or their logarithms."""
    each = ops.exp(target) * (target - x) if log_target else ops.xlogy(target, target) - target * x
    return ops.div(ops.sum(each), x.shape[0]) if reduction == "batchmean" else _reduced(each, reduction)


def gaussian_nll_loss(
    x: Tensor, target: Tensor, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Tensor:
    """x: means. var: variances, at least `eps`."""
    spread = ops.clamp(ops.as_tensor(var), min=eps)
    if spread.ndim == x.ndim - 1:
        spread = spread.unsqueeze(-1)
    each = (ops.log(spread) + ops.square(x - target) / spread) * 0.5
    return _reduced(each + 0.5 * math.log(2 * math.pi) if full else each, reduction)


def triplet_margin_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2, eps: float = 1e-6,
    swap: bool = False, *_: Any, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Each [..., features]: how much farther the negative one is than the positive one, up to the margin."""

    def distance(x: Tensor, y: Tensor) -> Tensor:
        return ops.norm(ops.sub(x, y) + eps, p, -1)

    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = ops.minimum(far, distance(positive, negative))
    return _reduced(ops.clamp(near - far + margin, min=0), reduction)


def cosine_embedding_loss(
    x: Tensor, y: Tensor, target: Tensor, margin: float = 0, *_: Any, reduction: str = "mean"
) -> Tensor:
    """x, y: [..., features]. target: 1 for what is to be alike, -1 for what is not."""
    tiny = 1e-12
    lengths = ops.sqrt((ops.sum(ops.square(x), -1) + tiny) * (ops.sum(ops.square(y), -1) + tiny))
    cosine = ops.div(ops.sum(ops.mul(x, y), -1), lengths)
    return _reduced(_either(target, 1 - cosine, ops.clamp(cosine - margin, min=0)), reduction)


def hinge_embedding_loss(x: Tensor, target: Tensor, margin: float = 1.0, *_: Any, reduction: str = "mean") -> Tensor:
    """x: distances. target: 1 for what is to be near, -1 for what is not."""
    near = ops.where(ops.ne(target, -1), x, 0)
    return _reduced(near + ops.where(ops.ne(target, 1), ops.clamp(margin - x, min=0), 0), reduction)


def _either(target: Tensor, alike: Tensor, different: Tensor) -> Tensor:
    return ops.where(ops.eq(target, 1), alike, ops.where(ops.eq(target, -1), different, 0))


def margin_ranking_loss(
    x: Tensor, y: Tensor, target: Tensor, margin: float = 0, *_: Any, reduction: str = "mean"
) -> Tensor:
    """target: 1 where `x` is to be the larger one, -1 where `y` is."""
    return _reduced(ops.clamp(margin - ops.mul(ops.sub(x, y), target), min=0), reduction)


def soft_margin_loss(x: Tensor, target: Tensor, *_: Any, reduction: str = "mean") -> Tensor:
    """target: 1 or -1."""
    return _reduced(ops.neg(ops.logsigmoid(ops.mul(x, target))), reduction)


LOSSES: dict[str, Callable[..., Tensor]] = {
    "mse_loss": _of_difference(ops.square),
    "l1_loss": _of_difference(ops.abs),
    "smooth_l1_loss": _of_difference(_smooth, "beta"),
    "huber_loss": _of_difference(_huber, "delta"),
    "nll_loss": nll_loss,
    "cross_entropy": cross_entropy,
    "binary_cross_entropy": binary_cross_entropy,
    "binary_cross_entropy_with_logits": binary_cross_entropy_with_logits,
    "kl_div": kl_div,
    "gaussian_nll_loss": gaussian_nll_loss,
    "triplet_margin_loss": triplet_margin_loss,
    "cosine_embedding_loss": cosine_embedding_loss,
    "hinge_embedding_loss": hinge_embedding_loss,
    "margin_ranking_loss": margin_ranking_loss,
    "soft_margin_loss": soft_margin_loss,
}
"""By torch's names."""
