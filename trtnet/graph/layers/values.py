"""Tensors that are made of constants and sizes: which are the same, and the values of those that no size is in.

numpy computes in the tensors' own dtypes, of the layers that models make masks of. The reference executor does the
same with torch, for all layers; it is not here, where torch need not be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import prod
from typing import Any

import numpy as np

from trtnet.support import dtypes

Array = np.ndarray[Any, Any]
ITensor = Any  # TensorRT's
Layer = Any
LARGEST = 1 << 22
"""The most elements of a value."""


class KnownValues:
    """Which tensors of a network are made of constants and sizes, which of them are the same, and their values."""

    def __init__(self) -> None:
        self._found: dict[ITensor, Array | None] = {}
        self._makers: dict[ITensor, tuple[str, Layer, list[ITensor]]] = {}
        self._numbers: dict[ITensor, int] = {}
        self._by_expression: dict[Any, int] = {}
        self._fixed: set[ITensor] = set()

    def __contains__(self, tensor: ITensor) -> bool:
        return tensor in self._found or tensor in self._makers

    def give(self, tensor: ITensor, value: Array) -> None:
        """Notes the value of a constant."""
        self._found[tensor] = value

    def note(self, method: str, layer: Layer, inputs: Iterable[ITensor], outputs: Sequence[ITensor]) -> None:
        """Notes a new layer. method: that of ``INetworkDefinition`` which made it, without "add_"."""
        if method == "shape":
            self._found[outputs[0]] = None
        if method == "constant":
            self._fixed.add(outputs[0])
        if method not in FUNCTIONS and method != "gather":
            return
        operands = list(inputs)
        if operands and all(x in self._fixed for x in operands):
            self._fixed.add(outputs[0])
        if method == "gather":
            return
        if (operands or method == "fill") and all(x in self for x in operands):
            self._makers[outputs[0]] = method, layer, operands

    def is_fixed(self, tensor: ITensor) -> bool:
        """Whether it is made of constants and weights."""
        return tensor in self._fixed

    def number(self, tensor: ITensor) -> int:
        """Equal for tensors that equal layers make of the same tensors."""
        if tensor not in self._numbers:
            expression: Any = tensor
            if tensor in self._makers:
                method, layer, inputs = self._makers[tensor]
                told = tuple(_told(layer, name) for name in ATTRIBUTES.get(method, ()))
                expression = method, str(tensor.dtype), told, *map(self.number, inputs)
            self._numbers[tensor] = self._by_expression.setdefault(expression, len(self._by_expression))
        return self._numbers[tensor]

    def value(self, tensor: ITensor) -> Array | None:
        """Its value, in its dtype; None if it is not known."""
        if tensor not in self._found:
            self._found[tensor] = self._computed(tensor)
        return self._found[tensor]

    def _computed(self, tensor: ITensor) -> Array | None:
        if tensor not in self._makers:
            return None
        method, layer, inputs = self._makers[tensor]
        shape, operands = tuple(tensor.shape), [self.value(x) for x in inputs]
        known = [x for x in operands if x is not None]
        if len(known) < len(operands) or -1 in shape or prod(shape) > LARGEST:
            return None
        result = FUNCTIONS[method](layer, known, shape)
        return None if result is None else result.astype(dtypes.get(tensor.dtype).numpy, copy=False).reshape(shape)


def _told(layer: Layer, name: str) -> Any:
    """An attribute of a layer, by which it is told from others."""
    value: Any = getattr(layer, name, None)
    try:
        return tuple(value)
    except TypeError:
        return str(value)
    except ValueError:  # of sizes that are not set
        return None


Function = Callable[[Layer, list[Array], tuple[int, ...]], "Array | None"]

BINARY: dict[str, Callable[[Array, Array], Array]] = {
    "SUM": np.add,
    "SUB": np.subtract,
    "PROD": np.multiply,
    "MAX": np.maximum,
    "MIN": np.minimum,
    "AND": np.logical_and,
    "OR": np.logical_or,
    "XOR": np.logical_xor,
    "EQUAL": np.equal,
    "GREATER": np.greater,
    "LESS": np.less,
}
UNARY: dict[str, Callable[[Array], Array]] = {"NOT": np.logical_not, "NEG": np.negative, "ABS": np.abs}


def _elementwise(layer: Layer, given: list[Array], shape: tuple[int, ...]) -> Array | None:
    function = BINARY.get(layer.op.name)
    return None if function is None else function(*given)


def _unary(layer: Layer, given: list[Array], shape: tuple[int, ...]) -> Array | None:
    function = UNARY.get(layer.op.name)
    return None if function is None else function(*given)


def _same(layer: Layer, given: list[Array], shape: tuple[int, ...]) -> Array:
    """A cast, by whoever takes the result; of one input, or with the axes of another shape as a second one."""
    return given[0]


def _select(layer: Layer, given: list[Array], shape: tuple[int, ...]) -> Array:
    return np.where(*given)


def _concatenation(layer: Layer, given: list[Array], shape: tuple[int, ...]) -> Array:
    return np.concatenate(given, layer.axis)


def _shuffle(layer: Layer, given: list[Array], shape: tuple[int, ...]) -> Array | None:
    if len(given) > 1:
        return None
    last = [layer.second_transpose[i] for i in range(len(shape))]
    between = [0] * len(shape)
    for axis, size in zip(last, shape, strict=True):
        between[axis] = size
    first = [layer.first_transpose[i] for i in range(given[0].ndim)]
    return given[0].transpose(first).reshape(between).transpose(last)


def _slice(layer: Layer, given: list[Array], shape: tuple[int, ...]) -> Array | None:
    """Inside of the tensor, or beyond its end from its beginning again."""
    x, mode = given[0], layer.mode.name
    if len(given) > 1 or mode not in ("STRICT_BOUNDS", "WRAP"):
        return None
    axes = list(getattr(layer, "axes", None) or range(x.ndim))
    for axis, start, size, stride in zip(axes, layer.start, layer.shape, layer.stride, strict=True):
        places = start + stride * np.arange(size)
        x = x.take(places % x.shape[axis] if mode == "WRAP" else places, axis)
    return x


def _fill(layer: Layer, given: list[Array], shape: tuple[int, ...]) -> None:
    """Of sizes, for the most part, which have no values yet."""


ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "elementwise": ("op",),
    "unary": ("op",),
    "concatenation": ("axis",),
    "shuffle": ("first_transpose", "reshape_dims", "second_transpose", "zero_is_placeholder"),
    "slice": ("start", "shape", "stride", "mode", "axes"),
    "fill": ("operation", "shape", "alpha", "beta"),
}
"""What tells layers of a kind apart, beside their inputs and dtypes."""
FUNCTIONS: dict[str, Function] = {
    "fill": _fill,
    "elementwise": _elementwise,
    "unary": _unary,
    "cast": _same,
    "identity": _same,
    "squeeze": _same,
    "unsqueeze": _same,
    "select": _select,
    "concatenation": _concatenation,
    "shuffle": _shuffle,
    "slice": _slice,
}
