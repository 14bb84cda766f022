"""Comparisons of sizes that hold for every size, or for every size but one."""

from __future__ import annotations

import logging
import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import ceil, floor, inf
from typing import Any

import numpy as np

from trtnet.graph.sizes.origins import Arithmetic, Axis, Value
from trtnet.support.size_limit import SizeLimit, SizeRule
from trtnet.support.source import caller, here
from trtnet.support.value_checks import passing

log = logging.getLogger("trtnet.definition")

_GENERAL: ContextVar[bool] = ContextVar("trtnet.graph.sizes.general", default=False)
SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


MOST_ELEMENTS = 2**31 - 1
"""Of a tensor of TensorRT."""


@contextmanager
def general_sizes() -> Iterator[None]:
    """Inside, what a model asks of an input's dimension is decided, as torch.export does, with a warning.

    One that is compared with 1 is taken to be larger. Installed libraries ask it to leave out what changes nothing for
    one sample, such as an expansion; what they do in general holds for one sample, too. Where other code asks, the
    network is not for 1. One that is compared with a larger number
    by < and its like is taken to be smaller than that: the network is then for such sizes only. What is computed from
    sizes is smaller than 2**31: models ask it of a count of elements, and TensorRT has no tensor of more. Values are
    compared only where the other answer raises.
    """
    token = _GENERAL.set(True)
    try:
        yield
    finally:
        _GENERAL.reset(token)


def decided(sign: str, size: Any, number: object) -> bool | None:
    """Whether ``size sign number``, if that is the same for every size that the engine may be given; else None."""
    number = number.item() if isinstance(number, np.number) else number
    if not isinstance(number, int | float):
        return None
    least = at_least(size)
    found = _from(sign, least, number)
    if found is not None or not _GENERAL.get():
        return found
    if sign != "==" and number >= MOST_ELEMENTS:
        return SIGNS[sign](0, number)
    if isinstance(size.origin, Value):
        return passing()
    return _taken(sign, size, number) if isinstance(size.origin, Axis) and least == 1 else None


def _taken(sign: str, size: Any, number: float) -> bool | None:
    """A comparison of an input's dimension, decided as for sizes that are usual; None if there are none."""
    asked = f"since {size} {sign} {number} was asked"
    if number in (1, 2):
        found = _from(sign, 2, number)
        if found is not None:
            _more_than_one(size, asked)
        return found
    if sign == "==" or number < 2:
        return None
    most = ceil(number) - 1 if sign in ("<", ">=") else floor(number)
    limit = SizeLimit(most, here(f"it is taken to be so small, {asked}"))
    if size.origin.tensor.network.limits.lower(size.name, limit):
        log.warning("%s", here(f"{size} is assumed to be at most {most}, {asked}"))
    return SIGNS[sign](most, number)


def _more_than_one(size: Any, asked: str) -> None:
    """Assumes it. A library asks it to leave out what changes nothing for one sample; of others, 1 is refused."""
    line = caller()
    if line is not None and line.is_installed:
        log.warning("%s", here(f"{size} is assumed to be more than 1, {asked}: also compare at 1"))
        return
    reason = here(f"{size} is taken to be more than 1, {asked}")
    rule = SizeRule((size.name,), lambda sizes: sizes[size.name] != 1, reason)
    if size.origin.tensor.network.limits.rule(rule):
        log.warning("%s", here(f"{size} is assumed to be more than 1, {asked}: 1 is refused"))


def _from(sign: str, least: float, number: float) -> bool | None:
    """A comparison of what is `least` or more with a number, if it does not depend on how much more."""
    beyond = SIGNS[sign](inf, number)
    same = least > number or (least == number and sign in ("<", ">="))
    return beyond if same else None


def at_least(size: Any) -> float:
    """The least that a size can be: no axis of an input is empty."""
    if isinstance(size, int):
        return size
    origin = size.origin
    if isinstance(origin, Axis):
        return 1 if origin.tensor.trt.is_network_input else 0
    if not isinstance(origin, Arithmetic):
        return -inf
    if any(isinstance(term, float) for term in (origin.left, origin.right)):
        return -inf
    left, right = at_least(origin.left), at_least(origin.right)
    if origin.operation in ("FLOOR_DIV", "DIV"):
        return (left // origin.right if isinstance(origin.right, int) else 0) if left >= 0 and right >= 1 else -inf
    if origin.operation == "PROD":
        return left * right if left >= 0 and right >= 0 else -inf
    if origin.operation == "SUM":
        return left + right
    known = {"MAX": max, "MIN": min}.get(origin.operation)
    return known(left, right) if known else -inf
