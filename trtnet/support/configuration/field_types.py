"""Values as the fields of a configuration have them: of JSON, of the command line."""

from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin


def as_type(value: Any, hint: Any) -> Any:
    """The value, a list as a tuple and an int as a float where that is asked for. Raises TypeError for another type.

    hint: int, float, bool, str, Literal, a tuple or a union of these. A negative int is no size.
    """
    origin, parts = get_origin(hint), get_args(hint)
    if origin is UnionType:
        return _first_of(value, parts)
    if origin is tuple and isinstance(value, list | tuple):
        parts = (parts[0],) * len(value) if parts[-1] is Ellipsis else parts
        if len(parts) == len(value):
            return tuple(as_type(each, part) for each, part in zip(value, parts, strict=True))
    if origin is Literal and value in parts:
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if origin is None and type(value) is hint and not (hint is int and value < 0):
        return value
    raise TypeError(f"{value!r} is not {described(hint)}")


def described(hint: Any) -> str:
    """A field's type in words."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is UnionType:
        return " or ".join(map(described, parts))
    if origin is tuple:
        return f"a list{'' if parts[-1] is Ellipsis else f' of {len(parts)}'}: {described(parts[0])}"
    if origin is Literal:
        return " or ".join(map(repr, parts))
    return {int: "an int of at least 0", float: "a number", bool: "True or False", NoneType: "None"}.get(hint, "a text")


def _first_of(value: Any, hints: tuple[Any, ...]) -> Any:
    for hint in hints:
        try:
            return as_type(value, hint)
        except TypeError:
            continue
    raise TypeError(f"{value!r} is of none of these types")
