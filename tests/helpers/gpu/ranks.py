"""Functions run by several processes at once, one a rank, each with a GPU."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import helpers.checkout  # noqa: F401  before what processes run is found

Work = Callable[..., Any]


def together(work: Work, ranks: int, *args: Any, timeout: float = 120) -> list[Any]:
    """What ``work(rank, ranks, meeting, *args)`` returns in each process, or an exception in its place.

    work: of a module. meeting: a path for ``trtnet.Communicator``. Processes that do not end are killed, and their
    result is a TimeoutError.
    """
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        places = [Path(folder) / f"result{rank}" for rank in range(ranks)]
        meeting = str(Path(folder) / "meeting")
        running = [
            context.Process(target=_one, args=(work, rank, ranks, meeting, args, str(places[rank])))
            for rank in range(ranks)
        ]
        for process in running:
            process.start()
        end = time.monotonic() + timeout
        for process in running:
            process.join(max(0.1, end - time.monotonic()))
        return [_result(process, place, timeout) for process, place in zip(running, places, strict=True)]


def _result(process: Any, place: Path, timeout: float) -> Any:
    if process.is_alive():
        process.kill()
        process.join()
        return TimeoutError(f"did not end within {timeout:g} seconds")
    if not place.exists():
        return RuntimeError(f"the process ended with {process.exitcode}")
    return pickle.loads(place.read_bytes())


def _one(work: Work, rank: int, ranks: int, meeting: str, args: Sequence[Any], place: str) -> None:
    try:
        found: Any = work(rank, ranks, meeting, *args)
    except Exception as error:
        traceback.print_exc()
        found = RuntimeError(f"{type(error).__name__}: {error}")
    Path(place).write_bytes(pickle.dumps(found))
    sys.stderr.flush()
    os._exit(0)  # what NCCL and TensorRT do at the end of a process is not looked at


def at_once(works: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    """What each returns, or the exception that it raises, all run side by side."""
    found: dict[str, Any] = {}

    def run(name: str, work: Callable[[], Any]) -> None:
        try:
            found[name] = work()
        except Exception as error:
            found[name] = error

    threads = [threading.Thread(target=run, args=each) for each in works.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def values(results: Sequence[Any]) -> list[Any]:
    """The results, if none is an exception; else raises the first that is."""
    for each in results:
        if isinstance(each, Exception):
            raise each
    return list(results)
