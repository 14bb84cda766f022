"""A checkout's models/ and weights/, which stand beside trtnet/, are found in it from here on.

So they are where it was not installed, and in a worktree that runs with the environment of another one: the editable
install there has that one's models.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import trtnet

ROOT = Path(__file__).parents[2]


def _is_elsewhere() -> bool:
    found = importlib.util.find_spec("trtnet.models")
    return found is None or (_is_here(trtnet.__file__) and not _is_here(found.origin))


def _is_here(file: str | None) -> bool:
    return file is not None and Path(file).is_relative_to(ROOT)


if _is_elsewhere():
    trtnet.__path__.append(str(ROOT))
