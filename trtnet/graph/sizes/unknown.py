"""Errors for what Python asks of sizes that only the engine will know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trtnet.graph.sizes.origins import Arithmetic, Value
from trtnet.support.errors import ModelError
from trtnet.support.source import here


def _described(size: Any) -> str:
    of = dict.fromkeys(_names(size))
    return f"dimension {size}" if str(size) in of else f"a size computed from {', '.join(of)}"


def not_comparable(size: Any, sign: str, other: Any) -> ModelError:
    """The error for a comparison that Python has to decide while the network is being defined."""
    asked = f"{size} {'is' if sign == '==' else sign} {other}"
    return ModelError(
        here(
            f"{_described(size)} is known only when the engine runs, and whether {asked} was asked while the"
            f" network was being defined. Declare the input with an int (or with one name for sizes that are the same),"
            f" or compute both sides and choose with ops.where, or ops.cond, when the engine runs."
        )
    )


def not_known(size: Any) -> ModelError:
    """The error for a value that Python asks for while the network is being defined."""
    instead = "or declare the input with an int"
    if isinstance(size.origin, Value) and not size.origin.tensor.trt.is_network_input:
        instead = "or, where a size says the same (the largest length is that of an axis), take x.shape there"
    return ModelError(
        here(
            f"{_described(size)} is known only when the engine runs, and Python asked for its value while the network"
            f" was being defined. Use it in shapes and arithmetic (//, math.floor(...) and ** 0.5 stay symbolic,"
            f" int(...) and math.sqrt(...) cannot), {instead}."
        )
    )


def _names(size: Any) -> Iterator[str]:
    """The dimensions that a size, or a float of sizes, is computed from."""
    origin = getattr(size, "origin", None)
    if isinstance(origin, Arithmetic):
        yield from _names(origin.left)
        yield from _names(origin.right)
    elif hasattr(size, "name"):
        yield size.name
