"""Named ranges on Nsight Systems' timeline, for what trtnet itself does."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

Range = Callable[[str], AbstractContextManager[Any]]
"""Makes a range of a name, to be used in a ``with``."""


def nvtx_ranges() -> Range:
    """What names ranges for Nsight, through the package nvtx (``trtnet[nvtx]``); nothing where it is not installed."""
    try:
        import nvtx
    except ImportError:
        return no_range
    return lambda name: nvtx.annotate(name, domain="trtnet")


def no_range(name: str) -> AbstractContextManager[Any]:
    """A range that nobody sees."""
    return nullcontext()
