"""The runtime cache: kernels that TensorRT-RTX compiled for this GPU, for an engine's contexts and its next start."""

from __future__ import annotations

import hashlib
import logging
import re
import threading
from pathlib import Path
from typing import Any

from trtnet import backend
from trtnet.backend import trt
from trtnet.files import atomic_write, locked

log = logging.getLogger("trtnet.runtime")

_MAGIC = b"trtnet runtime cache 1\n"


class RuntimeCache:
    """The kernels that are compiled for an engine, for all its contexts, and for the next process if it has a file.

    path: None for an engine that is in no file. What is wrong with the file is a warning, never an error.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._trt: Any = None
        self._other: Any = None
        self._saved = b""

    def attach(self, config: trt.IRuntimeConfig) -> None:
        """Gives the kernels to a context's configuration, which adds those that it compiles."""
        with self._lock:
            if self._trt is None:
                self._trt, self._other = config.create_runtime_cache(), config.create_runtime_cache()
                self._load()
            config.set_runtime_cache(self._trt)

    def _load(self) -> None:
        if self.path is None:
            return
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            log.warning("cannot read the runtime cache %s: %s", self.path, error.strerror or error)
            return
        blob = _unpacked(content)
        if blob is None or self._trt is None or not self._trt.deserialize(blob):
            log.warning("the runtime cache %s is damaged; kernels are compiled again, and it is replaced", self.path)
            return
        self._saved = content

    def save(self) -> None:
        """Writes the file if there are kernels that it has not, with those that others wrote since it was read.

        One process at a time replaces it, whole or not at all.
        """
        with self._lock:
            if self._trt is None or self.path is None:
                return
            kernels = bytes(self._trt.serialize())
            if _packed(kernels) == self._saved:
                return
            try:
                with locked(self.path):
                    content = _packed(self._with_theirs(kernels, self.path))
                    with atomic_write(self.path) as file:
                        file.write(content)
            except OSError as error:  # a lock that another process keeps too long among them
                log.warning("cannot write the runtime cache %s: %s", self.path, error.strerror or error)
            self._saved = _packed(kernels)

    def _with_theirs(self, kernels: bytes, path: Path) -> bytes:
        """The kernels with those that another process wrote meanwhile, or the larger of the two if they do not mix."""
        content = path.read_bytes() if path.is_file() else b""
        theirs = _unpacked(content)
        if content == self._saved or theirs is None:
            return kernels
        self._other.reset()
        if not (self._other.deserialize(theirs) and self._other.deserialize(kernels)):
            return kernels
        return max((kernels, bytes(self._other.serialize()), theirs), key=len)

    def close(self) -> None:
        """Saves, and lets go of TensorRT's object: it must not outlive its engine."""
        self.save()
        self._trt = self._other = None


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
