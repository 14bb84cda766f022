"""Asking again until it is so."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(ask: Callable[[], T], seconds: float, missed: Callable[[], object], pause: float = 0.02) -> T:
    """What `ask` gives once it is true, asked again after each pause of so many seconds.

    Raises AssertionError with what `missed` says if it is not true in time, and what `ask` raises, at once.
    """
    until = time.monotonic() + seconds
    while not (found := ask()):
        assert time.monotonic() < until, missed()
        time.sleep(pause)
    return found
