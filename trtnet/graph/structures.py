"""Structures of values: lists, tuples, dicts, dataclasses and slices, in each other."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from trtnet.graph.sizes.dim import SizeOperators


def leaves(value: Any) -> Iterator[Any]:
    """What is in a structure, in order; a value that is no structure by itself."""
    items = _items(value)
    if items is None:
        yield value
    else:
        for item in items.values():
            yield from leaves(item)


def mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """A structure with each of its leaves changed: the very objects where nothing in them is another one afterwards."""
    items = _items(value)
    if items is None:
        return change(value)
    changed = {key: mapped(item, change) for key, item in items.items()}
    if all(changed[key] is item for key, item in items.items()):
        return value
    return _with(value, changed)


def _items(value: Any) -> dict[Any, Any] | None:
    """The items of a structure by key, place or name; None if it is none."""
    if isinstance(value, dict):
        return dict(value)
    if isinstance(value, list | tuple):
        return dict(enumerate(value))
    if isinstance(value, slice):
        return {name: getattr(value, name) for name in ("start", "stop", "step")}
    if dataclasses.is_dataclass(value) and not isinstance(value, type | SizeOperators):
        names = [field.name for field in dataclasses.fields(value)]
        return {name: getattr(value, name) for name in names if hasattr(value, name)}
    return None


def _with(value: Any, items: dict[Any, Any]) -> Any:
    """A structure of the same kind with other items."""
    if isinstance(value, tuple):
        make = getattr(value, "_make", type(value))  # a named tuple's takes the values as one
        return make(list(items.values()))
    if isinstance(value, slice):
        return slice(*items.values())
    made = copy.copy(value)
    if isinstance(value, list | dict):
        for key, item in items.items():
            made[key] = item
    else:
        for name, item in items.items():
            object.__setattr__(made, name, item)  # also where it is frozen
    return made
