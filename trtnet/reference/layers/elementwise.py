"""Layers that treat each element by itself."""

from __future__ import annotations

from collections.abc import Callable

import torch

from trtnet.reference.step import LayerFunction, Step, describe, to_torch
from trtnet.support import dtypes
from trtnet.support.errors import ExecutionError


def _divide(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Integers truncate toward zero."""
    return x / y if x.is_floating_point() else torch.div(x, y, rounding_mode="trunc")


BINARY: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "SUM": torch.add,
    "SUB": torch.sub,
    "PROD": torch.mul,
    "DIV": _divide,
    "FLOOR_DIV": torch.floor_divide,
    "MAX": torch.maximum,
    "MIN": torch.minimum,
    "POW": torch.pow,
    "AND": torch.logical_and,
    "OR": torch.logical_or,
    "XOR": torch.logical_xor,
    "EQUAL": torch.eq,
    "GREATER": torch.gt,
    "LESS": torch.lt,
}

UNARY: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "EXP": torch.exp,
    "LOG": torch.log,
    "SQRT": torch.sqrt,
    "RECIP": torch.reciprocal,
    "ABS": torch.abs,
    "NEG": torch.neg,
    "SIN": torch.sin,
    "COS": torch.cos,
    "TAN": torch.tan,
    "SINH": torch.sinh,
    "COSH": torch.cosh,
    "ASIN": torch.asin,
    "ACOS": torch.acos,
    "ATAN": torch.atan,
    "ASINH": torch.asinh,
    "ACOSH": torch.acosh,
    "ATANH": torch.atanh,
    "CEIL": torch.ceil,
    "FLOOR": torch.floor,
    "ERF": torch.erf,
    "NOT": torch.logical_not,
    "SIGN": torch.sign,
    "ROUND": torch.round,
    "ISINF": torch.isinf,
    "ISNAN": torch.isnan,
}


def elementwise(step: Step) -> list[torch.Tensor]:
    """Two tensors of equal rank, broadcast."""
    return [_named(BINARY, step)(step.input(0), step.input(1))]


def unary(step: Step) -> list[torch.Tensor]:
    """One tensor; ROUND rounds halves to even."""
    return [_named(UNARY, step)(step.x)]


def _named(table: dict[str, Callable[..., torch.Tensor]], step: Step) -> Callable[..., torch.Tensor]:
    name = step.layer.op.name
    if name not in table:
        raise ExecutionError(f"{describe(step.layer)}: the reference does not execute operation {name}")
    return table[name]


def select(step: Step) -> list[torch.Tensor]:
    """The second input where the first is true, else the third."""
    return [torch.where(step.input(0), step.input(1), step.input(2))]


def scale(step: Step) -> list[torch.Tensor]:
    """``(x * scale + shift) ** power``, for the whole tensor, a channel or an element."""
    layer, y = step.layer, step.x
    shape = {"UNIFORM": (), "CHANNEL": (-1, *(1,) * (y.ndim - 1 - layer.channel_axis))}
    target = shape.get(layer.mode.name, tuple(y.shape[layer.channel_axis :]))
    for attribute, function in (("scale", torch.mul), ("shift", torch.add), ("power", torch.pow)):
        weight = step.weight(attribute)
        if weight is not None:
            y = function(y, weight.reshape(target))
    return [y]


def constant(step: Step) -> list[torch.Tensor]:
    """The layer's weights."""
    array = step.weight("weights")
    if array is None:
        array = torch.empty(0, dtype=to_torch(step.output_dtype.numpy.type(0).reshape(1)).dtype)
    return [array.reshape(tuple(step.layer.shape))]


def cast(step: Step) -> list[torch.Tensor]:
    """Another dtype: floats become integers toward zero, anything but 0 becomes true."""
    wanted = step.output_dtype
    target = torch.float32 if wanted.is_floating else getattr(torch, wanted.name)
    return [step.x.to(target) if wanted != dtypes.bool_ else step.x != 0]


def identity(step: Step) -> list[torch.Tensor]:
    """The input, in the output's dtype."""
    return cast(step)


def assertion(step: Step) -> list[torch.Tensor]:
    """Nothing, if the input is true everywhere. Raises ExecutionError with the layer's message if not."""
    if not bool(step.x.all()):
        raise ExecutionError(f"{describe(step.layer)}: the assertion failed: {step.layer.message}")
    return []


LAYERS: dict[str, LayerFunction] = {
    "ASSERTION": assertion,
    "CAST": cast,
    "CONDITIONAL_INPUT": identity,
    "CONSTANT": constant,
    "ELEMENTWISE": elementwise,
    "IDENTITY": identity,
    "SCALE": scale,
    "SELECT": select,
    "UNARY": unary,
}
