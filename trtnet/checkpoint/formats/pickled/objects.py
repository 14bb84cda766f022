"""What stands for the classes, functions and objects that a pickle names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Global:
    """The name of a class or a function of some module, which is not imported."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False, repr=False)
class Object:
    """What stands for an object of a class that is not known here.

    args: what its class or function would have been called with. state: what it would have been given afterwards.
    items, elements: what would have been put into it, if it is a kind of dict or list.
    """

    kind: object
    args: tuple[Any, ...] = ()
    state: Any = None
    items: dict[Any, Any] = field(default_factory=dict)
    elements: list[Any] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The name of its class."""
        return str(self.kind) if isinstance(self.kind, Global) else "an object of no name"

    def attributes(self) -> dict[Any, Any]:
        """What it has by name: its state, that in slots too, and its items."""
        parts = self.state if isinstance(self.state, tuple) else (self.state,)
        found: dict[Any, Any] = {}
        for part in (*parts, self.items):
            if isinstance(part, dict):
                found |= part
        return found
