"""torch's modules and parameters where a model needs trtnet's."""

from __future__ import annotations

from collections.abc import Iterable

from trtnet.graph.report import type_name
from trtnet.graph.source import here
from trtnet.support.errors import ModelError

FOREIGN = {("torch.nn.modules.module", "Module"), ("torch.nn.parameter", "Parameter")}


def refuse_foreign(place: str, values: Iterable[object]) -> None:
    """Raises ModelError for a module or parameter of torch's at a place of a model; torch's tensors are constants."""
    for value in values:
        if any((cls.__module__, cls.__name__) in FOREIGN for cls in type(value).__mro__):
            raise ModelError(here(f"{place} is a {type_name(value)}; {_instead(value)}"))


def _instead(value: object) -> str:
    from trtnet import nn  # whose part this is

    name = type(value).__name__
    known = type_name(value) == f"torch.nn.{name}" and name in nn.__all__
    return f"use trtnet.nn.{name}" if known else "write it with trtnet.nn"
