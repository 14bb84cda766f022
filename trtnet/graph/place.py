"""Where layers belong: the module, the user's line, the loop or branch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from trtnet.support.source import SourceLine, caller


@dataclass(frozen=True)
class Place:
    """Where layers belong. path: the module's. source: the user's line, None for the one that is executed.

    rows: how many equal rows they compute, of which the model uses one.
    """

    path: str = ""
    source: SourceLine | None = None
    rows: int = 1


def is_in(path: str, outer: str) -> bool:
    """Whether the module at a path is another, or in it: all are in "", the model."""
    return outer in ("", path) or path.startswith(f"{outer}.")


class Placing(ABC):
    """What knows the place of a layer that is added now. body: of the loop or branch, None outside of all.

    places: of layers, by their names. replaced: what is read in place of TensorRT's tensors: see ``Adding.replace``.
    """

    def __init__(self) -> None:
        self.body: object = None
        self.replaced: dict[Any, Any] = {}
        self.places: dict[str, Place] = {}
        self._place = Place()

    @property
    def path(self) -> str:
        """The path of the module being called, ``"layer1.0.conv1"``; "" at the root."""
        return self._place.path

    @property
    def place(self) -> Place:
        """The place of a layer that is added now."""
        here = self._place
        return here if here.source else Place(here.path, caller(), here.rows)

    @abstractmethod
    def fail(self, headline: str, operands: Mapping[str, Any], source: SourceLine | None = None) -> NoReturn:
        """Raises a LayerError that names the module, the user's line, the operands and TensorRT's last words."""

    @contextmanager
    def at(self, place: Place) -> Iterator[None]:
        """Layers added inside belong to a place."""
        before, self._place = self._place, place
        try:
            yield
        finally:
            self._place = before

    def scope(self, path: str) -> AbstractContextManager[None]:
        """Layers added inside belong to the module at `path`."""
        return self.at(replace(self._place, path=path))

    def rows(self, count: int) -> AbstractContextManager[None]:
        """Layers added inside compute `count` equal rows, of which the model uses one: the others are no work of it."""
        return self.at(replace(self._place, rows=count))

    @contextmanager
    def inside(self) -> Iterator[None]:
        """What is made inside belongs to the body of a loop or a branch, which may not write to what is outside."""
        before, self.body = self.body, object()
        try:
            yield
        finally:
            self.body = before
