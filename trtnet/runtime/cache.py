"""The runtime cache: kernels that TensorRT-RTX compiled for this GPU, for an engine's contexts and its next start."""

from __future__ import annotations

import hashlib
import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakSet

from trtnet import backend
from trtnet.backend import trt
from trtnet.files import atomic_write, locked

log = logging.getLogger("trtnet.runtime")

_MAGIC = b"trtnet runtime cache 1\n"


class Kernels:
    """What one context was given and compiled since. trt: TensorRT's object; it must not outlive its engine."""

    def __init__(self, cache: Any) -> None:
        self.trt = cache


class RuntimeCache:
    """The kernels that are compiled for an engine: what one context compiled the next ones get, and the next process.

    Each context has a TensorRT object of its own, and they are made one at a time: TensorRT-RTX 1.6 crashed where
    contexts of several threads shared one. path: the file; None for an engine that is in none. What is wrong with the
    file is a warning, never an error.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._lock = threading.RLock()  # a context that is collected while another is made comes back to it
        self._known: bytes | None = None
        self._saved = b""
        self._living: WeakSet[Kernels] = WeakSet()

    @contextmanager
    def kernels(self, config: trt.IRuntimeConfig) -> Iterator[Kernels]:
        """Gives what is known to a configuration; inside, its context is made, which may compile more."""
        with self._lock:
            kernels = Kernels(config.create_runtime_cache())
            self._give(kernels)
            config.set_runtime_cache(kernels.trt)
            self._living.add(kernels)
            yield kernels
            self._learn(kernels)

    def _give(self, kernels: Kernels) -> None:
        if self._known is None:
            self._known = self._read()
        if self._known and not kernels.trt.deserialize(self._known):
            self._warn_of_damage()
            self._known = self._saved = b""

    def _read(self) -> bytes:
        """The file's kernels; b"" if it has none."""
        try:
            content = b"" if self.path is None else self.path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            log.warning("cannot read the runtime cache %s: %s", self.path, error.strerror or error)
            return b""
        if self.path is None:
            return b""
        blob = _unpacked(content)
        if blob is None:
            self._warn_of_damage()
            return b""
        self._saved = content
        return blob

    def _warn_of_damage(self) -> None:
        log.warning("the runtime cache %s is damaged; kernels are compiled again, and it is replaced", self.path)

    def _learn(self, kernels: Kernels) -> None:
        """Keeps what a context has compiled: one that compiled nothing tells what it was given, in any order."""
        told = b"" if kernels.trt is None else bytes(kernels.trt.serialize())
        if len(told) > len(self._known or b""):
            self._known = told

    def save(self, kernels: Kernels) -> None:
        """Keeps what a context has compiled, and writes the file if that is more than it has."""
        with self._lock:
            self._learn(kernels)
            self._write()

    def drop(self, kernels: Kernels) -> None:
        """Keeps what a context has compiled, and lets go of TensorRT's object."""
        with self._lock:
            self._learn(kernels)
            kernels.trt = None

    def close(self) -> None:
        """At the engine's end: keeps and writes what its contexts have compiled."""
        with self._lock:
            for kernels in list(self._living):
                self._learn(kernels)
            self._write()

    def _write(self) -> None:
        """Replaces the file, whole or not at all, one process at a time, with what others wrote since it was read."""
        content = _packed(self._known or b"")
        if self.path is None or not self._known or content == self._saved:
            return
        try:
            with locked(self.path):
                theirs = self._theirs(self.path)
                with atomic_write(self.path) as file:
                    file.write(_packed(max(self._known, theirs, key=len)))
        except OSError as error:  # a lock that another process keeps too long among them
            log.warning("cannot write the runtime cache %s: %s", self.path, error.strerror or error)
        self._saved = content

    def _theirs(self, path: Path) -> bytes:
        """What another process wrote meanwhile; b"" for a file that is ours, or damaged."""
        content = path.read_bytes() if path.is_file() else b""
        return b"" if content == self._saved else _unpacked(content) or b""


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
