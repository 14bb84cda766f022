"""TensorRT's own objects behind trtnet's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from trtnet.graph.memory.storage import StoredTensor
from trtnet.graph.memory.weight import Weight
from trtnet.support.backend import supports, trt


def inferred_sizes(itensor: trt.ITensor) -> tuple[int, ...] | None:
    """The shape of a tensor, None if its layer is bad (TensorRT up to 11.1 gives a negative rank, later ones raise)."""
    try:
        return tuple(itensor.shape)
    except (RuntimeError, ValueError):
        return None


def unwrap(value: Any) -> Any:
    """A Tensor, a Weight or a list of them as TensorRT takes it; anything else as it is."""
    if isinstance(value, StoredTensor):
        return value.trt
    if isinstance(value, Weight):
        return value.handle
    if isinstance(value, list):
        return [unwrap(item) for item in value]
    return value


def of_tensors(operands: Iterable[Any]) -> Iterator[trt.ITensor]:
    """Those of the Tensors among operands and lists of operands."""
    for operand in operands:
        for each in operand if isinstance(operand, list) else (operand,):
            if isinstance(each, StoredTensor):
                yield each.trt


def settled(operands: dict[str, Any]) -> dict[str, Any]:
    """The same, with pending layers decided: each Tensor is read before TensorRT gets any.

    (One that reads a convolution's own result after a batch norm took its layer gives the batch norm another layer.)
    """
    for value in operands.values():
        unwrap(value if isinstance(value, StoredTensor | list) else None)
    return operands


def flags() -> int:
    """Those that a network is created with: strongly typed, with an explicit batch, where TensorRT has to be told."""
    every = trt.NetworkDefinitionCreationFlag
    names = ("explicit_batch_flag", "EXPLICIT_BATCH"), ("strongly_typed_flag", "STRONGLY_TYPED")
    return sum(1 << int(getattr(every, member)) for feature, member in names if supports(feature))
