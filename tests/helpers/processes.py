"""Scripts in processes of their own, which see the folders that tests import from, and what processes are left."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path


def output_of(script: str) -> str:
    """What a script prints that may import what tests import. It must end well, its interpreter's end with it."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def descendants(pid: int) -> list[int]:
    """The processes that a process started, and theirs; not those that have ended."""
    parents = {int(path.name): _parent(path) for path in Path("/proc").glob("[0-9]*")}
    return [each for each in parents if pid in _ancestors(each, parents)]


def running(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    return _parent(Path(f"/proc/{pid}")) is not None


def _parent(folder: Path) -> int | None:
    try:
        state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return None
    return int(parent) if state not in "ZX" else None


def _ancestors(pid: int, parents: dict[int, int | None]) -> Iterator[int]:
    above = parents.get(pid)
    while above is not None:
        yield above
        above = parents.get(above)
