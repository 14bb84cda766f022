"""The timing cache: what TensorRT measured of its kernels, kept between builds and shared by processes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

from trtnet.support import backend
from trtnet.support.backend import trt
from trtnet.support.errors import BuildError
from trtnet.support.files import atomic_write, check_writable, locked

log = logging.getLogger("trtnet.builder")


@contextmanager
def timings(config: trt.IBuilderConfig, file: str | PathLike[str] | None) -> Iterator[None]:
    """For a build: reads the cache in `file` into the configuration before, and writes what was measured after it.

    A missing file starts empty; a damaged one, or one of another GPU or TensorRT, too, with a warning. None: no cache.
    Raises BuildError on TensorRT-RTX, which compiles without timing kernels, TrtnetError if it cannot be written.
    """
    if file is None:
        yield
        return
    if backend.name() == "tensorrt_rtx":
        raise BuildError("TensorRT-RTX times no kernels when it builds, so it has no timing cache")
    path = Path(file)
    check_writable(path)
    cache = _load(config, path)
    yield
    _save(config, cache, path)


def _load(config: trt.IBuilderConfig, path: Path) -> trt.ITimingCache:
    """The cache that the configuration uses from now on, to be kept until the build is done."""
    cache = config.create_timing_cache(path.read_bytes() if path.exists() else b"")
    if cache is None or not config.set_timing_cache(cache, ignore_mismatch=False):
        log.warning("%s is damaged, or is for another GPU or TensorRT; a new one is started", path)
        cache = config.create_timing_cache(b"")
        config.set_timing_cache(cache, ignore_mismatch=False)
    return cache


def _save(config: trt.IBuilderConfig, cache: trt.ITimingCache, path: Path) -> None:
    """Writes the cache to `path`, with what other processes measured and wrote since it was read.

    One process at a time replaces the file, whole or not at all. The engine is built: what fails is a warning.
    """
    try:
        with locked(path):
            _combine(config, cache, path)
            with atomic_write(path) as file:
                file.write(memoryview(cache.serialize()))
    except OSError as error:  # a lock that another process keeps too long among them
        log.warning("cannot write the timing cache %s; the measurements of this build are lost: %s", path, error)


def _combine(config: trt.IBuilderConfig, cache: trt.ITimingCache, path: Path) -> None:
    if path.exists():
        theirs = config.create_timing_cache(path.read_bytes())
        if theirs is None or not cache.combine(theirs, ignore_mismatch=False):
            log.warning("%s was damaged, or for another GPU or TensorRT; it is replaced", path)
