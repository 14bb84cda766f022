"""Which functions give a row for a row, and what a mask chooses of all rows; see ``selections``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from trtnet import ops
from trtnet.definition.torch_module.symbolic import ChosenTensor
from trtnet.graph import Tensor
from trtnet.graph.sizes.dim import numel
from trtnet.graph.structures import leaves

_POINTWISE = """
__add__ __radd__ __sub__ __rsub__ __mul__ __rmul__ __truediv__ __rtruediv__ __div__ __rdiv__ __floordiv__ __mod__
__pow__ __rpow__ __neg__ __invert__ __and__ __or__ __xor__ __eq__ __ne__ __lt__ __le__ __gt__ __ge__ add sub mul div
true_divide rsub pow neg abs exp log log2 log10 log1p expm1 sqrt rsqrt square reciprocal sin cos tan tanh sigmoid relu
relu6 gelu silu elu selu celu leaky_relu mish softplus hardswish hardsigmoid hardtanh softsign logsigmoid clamp
clamp_min clamp_max clip round floor ceil trunc sign erf where masked_fill maximum minimum remainder fmod floor_divide
logical_and logical_or logical_not eq ne lt le gt ge isnan isinf isfinite nan_to_num to float half bfloat16 long int
bool type_as clone contiguous detach dropout lerp addcmul addcdiv atan2 zeros_like ones_like full_like empty_like
"""
POINTWISE = frozenset(_POINTWISE.split())
PRODUCTS = frozenset(("linear", "matmul", "__matmul__", "mm"))
ALONG: dict[str, tuple[int, Any]] = {
    **dict.fromkeys(("softmax", "log_softmax", "cumsum", "unsqueeze", "squeeze", "argmax", "argmin"), (1, None)),
    **dict.fromkeys(("sum", "mean", "amax", "amin", "max", "min", "prod", "any", "all"), (1, None)),
    **dict.fromkeys(("unbind", "flatten", "cat", "concat", "stack"), (1, 0)),
    **dict.fromkeys(("chunk", "split"), (2, 0)),
    "glu": (1, -1),
    "topk": (2, -1),
    "normalize": (2, 1),
}
"""Functions along an axis: the place of its number among the arguments, and the number that it has by default."""
NEUTRAL = {"sum": 0, "any": 0, "all": 1, "amax": float("-inf"), "amin": float("inf")}
"""Reductions, by the number that changes nothing in them."""


def places(mask: Tensor) -> Iterator[Tensor]:
    """For each axis of a mask the place of every element along it, as a vector."""
    for axis, size in enumerate(mask.shape):
        one = tuple(-1 if a == axis else 1 for a in range(mask.ndim))
        yield ops.flatten(ops.arange(size, network=mask.network).reshape(one).expand(mask.shape))


def rows_of(x: Tensor, mask: Tensor) -> Tensor:
    """A tensor with the axes of a mask as one."""
    sizes = zip(x.shape[: mask.ndim], mask.shape, strict=False)
    if x.ndim < mask.ndim or any(isinstance(a, int) and isinstance(b, int) and a != b for a, b in sizes):
        shapes = (", ".join(map(str, shape)) for shape in (mask.shape, x.shape))
        x.network.fail("a mask of shape [{}] for axes of sizes [{}]".format(*shapes), {"x": x, "mask": mask})
    return ops.flatten(x, 0, mask.ndim - 1) if mask.ndim > 1 else x


def selected(x: ChosenTensor, other: float) -> Tensor:
    """The rows, with a number in place of those that are not chosen."""
    mask = ops.reshape(ops.flatten(x.mask), (-1, *(1,) * (x.value.ndim - 1)))
    return ops.where(mask, x.value, ops.full_like(x.value, other))


def keeps_rows(name: str, given: Sequence[ChosenTensor], args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether a function of all rows gives each as it would of the chosen ones. given: what is chosen among these."""
    ranks = {each.value.ndim for each in given}
    rank = max(ranks)
    if len(ranks) > 1:
        return False
    others = [x for x in leaves((args, kwargs)) if isinstance(x, torch.Tensor) and not isinstance(x, ChosenTensor)]
    if name in POINTWISE:
        return name in ("to", "type_as") or all(len(x.shape) < rank or _is_one(x) for x in others)
    if name in ALONG:
        place, default = ALONG[name]
        asked = kwargs.get("dim", kwargs.get("start_dim", args[place] if len(args) > place else default))
        axes = asked if isinstance(asked, list | tuple) else [asked]
        rank += name in ("unsqueeze", "stack")
        return not others and all(isinstance(axis, int) and axis % rank != 0 for axis in axes)
    if len(given) > 1 or not args or args[0] is not given[0]:
        return False
    if name in PRODUCTS:
        return rank > 1 and all(len(x.shape) <= 2 for x in others)
    if name in ("layer_norm", "rms_norm"):
        return len(args) > 1 and isinstance(args[1], list | tuple) and len(args[1]) < rank
    return name == "embedding"


def _is_one(x: torch.Tensor) -> bool:
    return isinstance(x.shape[0], int) and x.shape[0] == 1


def reduced(name: str, x: ChosenTensor, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Tensor | None:
    """A reduction of the chosen rows, along their axis or of everything; None for another function."""
    asked = kwargs.get("dim", args[1] if len(args) > 1 else None)
    if not (asked is None or (isinstance(asked, int) and asked == 0)) or len(args) > 2 or set(kwargs) - {"dim"}:
        return None
    over: dict[str, Any] = {} if asked is None else {"dim": 0}
    if name == "mean" and x.value.dtype.is_floating:
        each = numel(x.value.shape[1:]) if asked is None else 1
        count = ops.mul(ops.sum(ops.cast(x.mask, "float32")), each)
        return ops.cast(ops.div(ops.sum(ops.cast(selected(x, 0), "float32"), **over), count), x.value.dtype)
    name = {"max": "amax", "min": "amin"}.get(name, name) if asked is None else name
    neutral = NEUTRAL.get(name)
    if neutral is None or (isinstance(neutral, float) and not x.value.dtype.is_floating):
        return None
    result: Tensor = getattr(ops, name)(selected(x, neutral), **over)
    return result
