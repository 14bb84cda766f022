"""What torch's functions are called, and the arguments of those that torch has twice under one name."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from types import BuiltinFunctionType
from typing import Any

import torch

_OPERATORS = (torch._ops.OpOverload, torch._ops.OpOverloadPacket)
_LIBRARIES = frozenset(("aten", "torchvision"))
"""Whose operators under torch.ops are torch's own functions; those of others may be anything of the same name."""

_NORM = "weight bias running_mean running_var"
NATIVE: dict[str, tuple[str, ...]] = {
    "batch_norm": ("x", *_NORM.split(), "training", "momentum", "eps", "cudnn_enabled"),
    "instance_norm": ("x", *_NORM.split(), "use_input_stats", "momentum", "eps", "cudnn_enabled"),
    "group_norm": ("x", "num_groups", "weight", "bias", "eps", "cudnn_enabled"),
    "layer_norm": ("x", "normalized_shape", "weight", "bias", "eps", "cudnn_enable"),
    "embedding": ("weight", "indices", "padding_idx", "scale_grad_by_freq", "sparse"),
    **dict.fromkeys(("kl_div", "mse_loss", "l1_loss", "soft_margin_loss"), ("x", "target", "reduction")),
    **dict.fromkeys(("cosine_embedding_loss", "margin_ranking_loss"), ("x", "y", "target", "margin", "reduction")),
    "triplet_margin_loss": ("x", "positive", "negative", "margin", "p", "eps", "swap", "reduction"),
    "hinge_embedding_loss": ("x", "target", "margin", "reduction"),
    "smooth_l1_loss": ("x", "target", "reduction", "beta"),
    "huber_loss": ("x", "target", "reduction", "delta"),
    "nll_loss": ("x", "target", "weight", "reduction", "ignore_index"),
    "binary_cross_entropy": ("x", "target", "weight", "reduction"),
    "binary_cross_entropy_with_logits": ("x", "target", "weight", "pos_weight", "reduction"),
}
"""The arguments of functions in torch and in torch.ops that are others in torch.nn.functional, in their order."""

_OURS = {"input": "x", "input1": "x", "anchor": "x", "input2": "y"}
"""torch's names of arguments that are others in trtnet."""


@functools.cache
def name_of(func: Callable[..., Any]) -> str:
    """torch's name of a function; of a property's getter ``dtype.__get__``, of an extension's ``library::operator``."""
    if isinstance(func, _OPERATORS):
        library, name = str(func).split(".")[:2]
        return name if library in _LIBRARIES else f"{library}::{name}"
    name = str(getattr(func, "__name__", func))
    return f"{getattr(func, '__self__').__name__}.{name}" if name in ("__get__", "__set__") else name  # noqa: B009


@functools.cache
def is_method(func: Callable[..., Any]) -> bool:
    """Whether a function is a method of torch.Tensor."""
    func = inspect.unwrap(func)
    of = getattr(func, "__objclass__", None)
    return (of is not None and issubclass(torch.Tensor, of)) or getattr(func, "__qualname__", "").startswith("Tensor.")


def as_functional(
    func: Callable[..., Any], name: str, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[Sequence[Any], dict[str, Any]]:
    """The arguments of a function as torch.nn.functional's of that name takes them."""
    names = NATIVE.get(name, ()) if isinstance(func, (*_OPERATORS, BuiltinFunctionType)) else ()
    if not names:
        return args, _with_reduction(kwargs)
    given = dict(zip(names, args, strict=False)) | {_OURS.get(key, key): x for key, x in kwargs.items()}
    first = given.pop("indices" if name == "embedding" else "x")
    if isinstance(given.get("reduction"), int):
        given["reduction"] = ("none", "mean", "sum")[given["reduction"]]
    return (first,), {key: value for key, value in given.items() if not key.startswith("cudnn_")}


def _with_reduction(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments without size_average and reduce, which losses of torch.nn.functional had before they had reduction."""
    given = dict(kwargs)
    if "size_average" not in given:
        return given
    size_average, reduce = given.pop("size_average"), given.pop("reduce", None)
    if reduce is False:
        return given | {"reduction": "none"}
    if size_average is None and reduce is None:
        return given
    return given | {"reduction": "sum" if size_average is False else "mean"}
