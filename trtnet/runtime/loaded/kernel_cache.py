"""The runtime cache: kernels that TensorRT-RTX compiled for this GPU, for an engine's contexts and its next start."""

from __future__ import annotations

import hashlib
import logging
import re
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trtnet.support import backend
from trtnet.support.backend import trt
from trtnet.support.files import atomic_write, locked

log = logging.getLogger("trtnet.runtime")

_MAGIC = b"trtnet runtime cache 1\n"

PAUSE = 1.0
"""Seconds between two writes while the engine runs."""


class RuntimeCache:
    """The kernels that are compiled for an engine: one for all its contexts, and for the next process if it has a file.

    TensorRT-RTX compiles kernels, and looks them up, where a context is made, changes its profile, or executes with
    other shapes than just before. Contexts take turns at that: TensorRT-RTX 1.6 crashed where threads did it at once.
    path: the file; None for an engine that is in none. What is wrong with the file is a warning, never an error.
    clock: in seconds.
    """

    def __init__(self, path: Path | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._clock = clock
        self._lock = threading.RLock()  # a context that is collected in another's turn comes back to it
        self._trt: Any = None
        self._compiled: set[Hashable] = set()
        self._has_news = False
        self._saved = b""
        self._saved_at = -PAUSE

    def attach(self, config: trt.IRuntimeConfig) -> Any:
        """Gives the kernels to the configuration of a context, in whose turn this is.

        Returns TensorRT's object, which the context must hold as long as it lives.
        """
        if self._trt is None:
            self._trt = config.create_runtime_cache()
            if not self._load():
                self._trt = config.create_runtime_cache()
        config.set_runtime_cache(self._trt)
        return self._trt

    @contextmanager
    def turn(self, *compiles: Hashable) -> Iterator[None]:
        """One context's turn. compiles: what its kernels depend on, if it may compile some."""
        with self._lock:
            yield
            if compiles and compiles not in self._compiled:
                self._compiled.add(compiles)
                self._has_news = True

    def _load(self) -> bool:
        """Reads the file. Returns whether TensorRT's object can be used."""
        if self.path is None:
            return True
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return True
        except OSError as error:
            log.warning("cannot read the runtime cache %s: %s", self.path, error.strerror or error)
            return True
        blob = _unpacked(content)
        if blob is not None and self._trt.deserialize(blob):
            self._saved = content
            return True
        log.warning("the runtime cache %s is damaged; kernels are compiled again, and it is replaced", self.path)
        return False

    def save_soon(self) -> None:
        """Writes the file if kernels may have been compiled since, but not a second after the last time.

        To be called before an execution: the one that compiles them does not wait for it.
        """
        if self._has_news and self._clock() >= self._saved_at + PAUSE:
            self.save()

    def save(self) -> None:
        """Replaces the file, if there are kernels that it does not have: whole or not at all, one process at a time.

        If another process wrote it meanwhile, the larger of the two stays.
        """
        with self._lock:
            self._has_news, self._saved_at = False, self._clock()
            if self._trt is None or self.path is None:
                return
            content = _packed(bytes(self._trt.serialize()))
            if content == self._saved:
                return
            try:
                with locked(self.path):
                    largest = max(content, self._theirs(self.path), key=len)
                    with atomic_write(self.path) as file:
                        file.write(largest)
            except OSError as error:  # a lock that another process keeps too long among them
                log.warning("cannot write the runtime cache %s: %s", self.path, error.strerror or error)
            self._saved = content

    def _theirs(self, path: Path) -> bytes:
        """What another process wrote meanwhile; b"" for a file that is ours, or damaged."""
        content = path.read_bytes() if path.is_file() else b""
        return b"" if content == self._saved or _unpacked(content) is None else content

    def close(self) -> None:
        """Saves, and lets go of TensorRT's object: it must not outlive its engine."""
        self.save()
        self._trt = None


def cache_path(plan: Path, device: str) -> Path:
    """``x.engine`` -> ``x.engine.NVIDIA_H200.tensorrt_rtx_1.6.1.120.cache``: a GPU and version each have their own."""
    words = (plan.name, re.sub(r"\W+", "_", device), f"{backend.name()}_{backend.version()}", "cache")
    return plan.with_name(".".join(words))


def _packed(blob: bytes) -> bytes:
    return _MAGIC + hashlib.sha256(blob).digest() + blob


def _unpacked(content: bytes) -> bytes | None:
    """None if the content is not what was written."""
    start = len(_MAGIC) + 32
    blob: Any = content[start:]
    whole = content.startswith(_MAGIC) and hashlib.sha256(blob).digest() == content[len(_MAGIC) : start]
    return bytes(blob) if whole else None
