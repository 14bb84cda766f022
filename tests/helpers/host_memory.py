"""What this process takes of the machine's memory, on Linux."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path


class _MallInfo(ctypes.Structure):
    """glibc's ``struct mallinfo2``: sizes, of which two are of interest."""

    _fields_ = [
        *[(f"_before{i}", ctypes.c_size_t) for i in range(4)],
        ("hblkhd", ctypes.c_size_t),
        *[(f"_between{i}", ctypes.c_size_t) for i in range(2)],
        ("uordblks", ctypes.c_size_t),
        *[(f"_after{i}", ctypes.c_size_t) for i in range(2)],
    ]


def allocated() -> int:
    """Bytes that C and C++ code has allocated and not freed, TensorRT's among them; exact. Needs glibc 2.33."""
    libc = ctypes.CDLL(None)
    libc.mallinfo2.restype = _MallInfo
    info = libc.mallinfo2()
    return int(info.uordblks + info.hblkhd)


def resident() -> int:
    """Bytes that are in memory: what is allocated, and what allocators keep of what was freed."""
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
