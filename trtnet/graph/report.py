"""The text of a LayerError: what happened, where, with what, in whose words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from trtnet.graph.source import SourceLine, at
from trtnet.graph.tensors.tensor import Tensor
from trtnet.graph.tensors.weight import Parameter, Weight

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


def message(headline: str, source: SourceLine | None, operands: Iterable[tuple[str, str]], words: Iterable[str]) -> str:
    """A message of one line each; the operands by name, as a table."""
    return "\n".join([at(source, headline), *(f"  {line}" for line in (*_table(list(operands)), *words))])


def _table(rows: Sequence[tuple[str, str]]) -> list[str]:
    width = max((len(name) for name, _ in rows), default=0)
    return [f"{name:<{width}}  {text}" for name, text in rows]


def _described(operands: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for name, operand in operands.items():
        if isinstance(operand, list | tuple) and any(isinstance(item, Tensor) for item in operand):
            yield from _described({f"{name}[{i}]": item for i, item in enumerate(operand)})
        elif isinstance(operand, Tensor | Weight):
            yield name, describe(operand)


def type_name(value: object) -> str:
    """``torch.nn.Linear``, ``numpy.ndarray``, ``int``: a value's type as its user writes it."""
    module = re.sub(r"^torch\.nn\..*", "torch.nn", type(value).__module__)
    return type(value).__name__ if module == "builtins" else f"{module}.{type(value).__name__}"


def describe(operand: Tensor | Weight | Parameter) -> str:
    """``[batch, 64, 56, 56] float16``, and the checkpoint key of a weight."""
    shape = f"[{', '.join(map(str, operand.shape))}] {operand.dtype or ''}".rstrip()
    key = operand.key if isinstance(operand, Weight) else ""
    return f"{shape}   (checkpoint key {key})" if key else shape
