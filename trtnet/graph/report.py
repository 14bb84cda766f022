"""The text of a LayerError: what happened, where, with what, in whose words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from trtnet.graph.memory.storage import StoredTensor
from trtnet.graph.memory.weight import DeclaredWeight, Weight
from trtnet.support.source import SourceLine
from trtnet.support.text.messages import message

# TensorRT's argument names where a torch user knows the operand by another.
_NAMES = {"input": "x", "kernel": "weight", "input1": "x", "input2": "y", "input0": "x", "then_input": "x"}


def layer_error(
    path: str,
    headline: str,
    source: SourceLine | None,
    operands: Mapping[str, Any],
    words: Iterable[str],
) -> str:
    """A message of one line each: headline, source line, operands, TensorRT's words."""
    rows = [(_NAMES.get(name, name), text) for name, text in _described(operands)]
    return message(f"{path}: {headline}" if path else headline, source, rows, [f"TensorRT: {text}" for text in words])


def _described(operands: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for name, operand in operands.items():
        if isinstance(operand, list | tuple) and any(isinstance(item, StoredTensor) for item in operand):
            yield from _described({f"{name}[{i}]": item for i, item in enumerate(operand)})
        elif isinstance(operand, StoredTensor | Weight):
            yield name, describe(operand)


def describe(operand: StoredTensor | Weight | DeclaredWeight) -> str:
    """``[batch, 64, 56, 56] float16``, and the checkpoint key of a weight."""
    shape = f"[{', '.join(map(str, operand.shape))}] {operand.dtype or ''}".rstrip()
    key = operand.key if isinstance(operand, Weight) else ""
    return f"{shape}   (checkpoint key {key})" if key else shape
