"""What a PyTorch module returned, as the outputs of a network."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Container, Iterator, Mapping
from typing import Any

from trtnet.graph import Tensor
from trtnet.support.call_interface import output_name

log = logging.getLogger("trtnet.definition")


def outputs(result: Any, inputs: Container[str]) -> Any:
    """A tensor, or tensors by name: the fields of a dataclass or ModelOutput, ``output0`` ... of a tuple.

    What is nested has the names of both, joined by a dot; what is named as an input, ``output.`` before that. What is
    no tensor is left out, with a warning.
    """
    if isinstance(result, Tensor):
        return result
    return {output_name(name, inputs): tensor for name, tensor in _named(result, "")}


def _named(result: Any, name: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(result, Tensor):
        yield name, result
        return
    for key, item in _items(result, name):
        yield from _named(item, key)


def _items(result: Any, name: str) -> Iterator[tuple[str, Any]]:
    prefix = f"{name}." if name else ""
    if isinstance(result, Mapping):
        yield from ((f"{prefix}{key}", item) for key, item in result.items())
    elif dataclasses.is_dataclass(result):
        yield from ((f"{prefix}{field.name}", getattr(result, field.name)) for field in dataclasses.fields(result))
    elif isinstance(result, tuple) and hasattr(result, "_fields"):
        yield from ((f"{prefix}{field}", item) for field, item in zip(result._fields, result, strict=True))
    elif isinstance(result, list | tuple):
        yield from ((f"{prefix}{index}" if name else f"output{index}", item) for index, item in enumerate(result))
    elif result is not None:
        log.warning(
            "the module returned a %s (%s), which is not a tensor: it is not an output", type(result).__name__, name
        )
