"""Copies on the host: of large arrays by several threads, since one alone does not use the memory's bandwidth."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

LARGE = 1 << 20
"""Bytes from which on it is worth it: to wake a thread takes as long as to copy some hundred kilobytes."""
THREADS = min(4, os.cpu_count() or 1)


def copy(target: Array, source: Array) -> None:
    """``target[...] = source``, of arrays of one shape."""
    if target.nbytes < LARGE or THREADS == 1 or not (target.flags.c_contiguous and source.flags.c_contiguous):
        target[...] = source
        return
    parts = zip(np.array_split(target.reshape(-1), THREADS), np.array_split(source.reshape(-1), THREADS), strict=True)
    for done in [_threads().submit(np.copyto, *part) for part in parts]:
        done.result()


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, "trtnet-copy")


# the threads of a process are not in those that it forks
os.register_at_fork(after_in_child=_threads.cache_clear)
