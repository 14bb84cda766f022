"""What a layer of a built network says of itself: the attributes of its own class, whatever the TensorRT."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trtnet.graph.layers.kinds import kind_of
from trtnet.graph.layers.read import Node
from trtnet.support import dtypes
from trtnet.support.backend import trt

Value = Any
"""An int, float, bool, str, a tuple of ints or floats, or WeightsAttribute."""

NOT_OWN = ("attention", "conditional", "loop", "plugin", "padding_nd")
"""Objects behind a layer; and the paddings of both sides at once, which are not there when these differ."""
OF_EVERY_LAYER = ("name", "metadata", "num_inputs", "num_outputs", "num_ranks")


@dataclass(frozen=True)
class WeightsAttribute:
    """Weights that are an attribute. array: flat; None for the types that TensorRT does not give back."""

    dtype: str
    size: int
    array: np.ndarray[Any, Any] | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.size:,} {self.dtype}"


def attributes(node: Node) -> dict[str, Value]:
    """The attributes of a layer by TensorRT's names, in alphabetical order; axes that are bits as their numbers.

    Left out is what is not set: sizes that come as tensors, weights of no elements.
    """
    kind = kind_of(node.kind)
    if not kind.cls:
        return {}
    given = zip(kind.from_inputs, node.inputs, strict=False)
    hidden = {*NOT_OWN, *OF_EVERY_LAYER, *(name for name, tensor in given if tensor is not None)}
    found = dict(sorted(_read(getattr(node.layer, "attention", node.layer), hidden)))
    if isinstance(found.get("axes"), int):
        found["axes"] = tuple(axis for axis in range(8) if found["axes"] >> axis & 1)
    if "first_transpose" in found:  # TensorRT gives eight numbers for every rank
        found["first_transpose"] = found["first_transpose"][: len(node.inputs[0].shape)]
        found["second_transpose"] = found["second_transpose"][: len(node.outputs[0].shape)]
    return found


def _read(owner: Any, hidden: Container[str]) -> Iterator[tuple[str, Value]]:
    for name, member in vars(type(owner)).items():
        if not isinstance(member, property) or name in hidden:
            continue
        try:
            value = _plain(getattr(owner, name))
        except RuntimeError:  # TensorRT raises where an attribute was never set
            continue
        if value is not None:
            yield name, value


def _plain(value: Any) -> Value:
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray) or type(value).__name__ == "Weights":
        array = value if isinstance(value, np.ndarray) else None
        return WeightsAttribute(dtypes.get(value.dtype).name, int(value.size), array) if value.size else None
    if isinstance(value, trt.DataType):
        return dtypes.get(value).name
    if hasattr(value, "name"):
        return str(value.name)
    return tuple(value) if hasattr(value, "__len__") else None
