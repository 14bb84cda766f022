"""Structures of values: lists, tuples, dicts, dataclasses and slices, in each other."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any

from trtnet.graph.sizes.dim import SizeOperators
from trtnet.support.errors import ModelError


def leaves(value: Any) -> Iterator[Any]:
    """What is in a structure, in order; a value that is not a structure by itself."""
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


def named_leaves(result: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """(name, value) of what a model returned, but None: a value is "output", several are ``output0``, ``output1``, ...

    Those in a mapping, a dataclass or a named tuple have its keys; those in what is nested have the names joined by
    dots.
    """
    items = _named_items(result)
    if items is None:
        if result is not None:
            yield name or "output", result
        return
    for key, item in items.items():
        first = f"output{key}" if isinstance(key, int) else key
        yield from named_leaves(item, f"{name}.{key}" if name else first)


def by_names(result: Any) -> dict[str, Any]:
    """:func:`named_leaves` in a dict. Raises ModelError for two values of one name."""
    found: dict[str, Any] = {}
    for name, value in named_leaves(result):
        if name in found:
            raise ModelError(
                f"two results are named {name}: the names of what is nested are joined by dots; rename one"
            )
        found[name] = value
    return found


def _named_items(value: Any) -> dict[Any, Any] | None:
    """What is in a structure, by names, or by places where it has none; None if it is none."""
    if isinstance(value, Mapping):
        named = {str(key): item for key, item in value.items()}
        if len(named) < len(value):
            raise ModelError(f"two results have keys of one text: {', '.join(map(repr, value))}; rename one")
        return named
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return dict(value._asdict())
    return None if isinstance(value, slice) else _items(value)


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


def joined(prefix: str, name: str) -> str:
    """The name of what is in a structure of a name: ``images.0``."""
    return f"{prefix}.{name}" if prefix else name


def nested(values: Mapping[str, Any], names: Container[str]) -> dict[str, Any]:
    """Values by name with those of joined names in structures again: ``images.0`` and ``images.1`` in a list, images.

    names: those that may be structures; others stay as they are. A structure whose names are 0, 1, ... is a list, any
    other a dict.
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        first, *rest = name.split(".")
        if not rest or first not in names:
            found[name] = value
            continue
        inside = found.setdefault(first, {})
        for part in rest[:-1]:
            inside = inside.setdefault(part, {})
        inside[rest[-1]] = value
    return {name: _listed(value) if name in names and name not in values else value for name, value in found.items()}


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    items = {key: _listed(item) for key, item in value.items()}
    return list(items.values()) if list(items) == [str(i) for i in range(len(items))] else items
