"""torch's modules and parameters where a model needs trtnet's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from trtnet.support.errors import ModelError
from trtnet.support.source import here
from trtnet.support.text.counted import an
from trtnet.support.text.messages import type_name

FOREIGN = {("torch.nn.modules.module", "Module"), ("torch.nn.parameter", "Parameter")}


def refuse_foreign(place: str, values: Iterable[object], ours: Iterable[type]) -> None:
    """Raises ModelError for a module or parameter of torch's at a place of a model; torch's tensors are constants.

    ours: the bases of what may be used instead: what is named as torch's is recommended.
    """
    for value in values:
        if any((cls.__module__, cls.__name__) in FOREIGN for cls in type(value).__mro__):
            raise ModelError(here(f"{place} is {an(type_name(value))}; {_instead(value, ours)}"))


def _instead(value: object, ours: Iterable[type]) -> str:
    name = type(value).__name__
    known = type_name(value) == f"torch.nn.{name}" and any(kind.__name__ == name for kind in _known(ours))
    return (
        f"use trtnet.nn.{name}" if known else "write it with trtnet.nn, or take it as it is: trtnet.TorchModule(module)"
    )


def _known(kinds: Iterable[type]) -> Iterator[type]:
    """trtnet's own kinds of modules and parameters: these, and those made from them."""
    for kind in kinds:
        if kind.__module__.startswith("trtnet."):
            yield kind
        yield from _known(kind.__subclasses__())
