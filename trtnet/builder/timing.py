"""The timing cache: what TensorRT measured of its kernels, kept between builds."""

from __future__ import annotations

import logging
from pathlib import Path

from trtnet import backend
from trtnet.backend import trt
from trtnet.errors import BuildError
from trtnet.files import atomic_write

log = logging.getLogger("trtnet.builder")


def load_timing_cache(config: trt.IBuilderConfig, path: Path) -> None:
    """Reads the cache at `path` into the configuration; a missing one starts empty, a damaged one too, with a warning.

    Raises BuildError on TensorRT-RTX, which compiles without timing kernels.
    """
    if backend.name() == "tensorrt_rtx":
        raise BuildError("TensorRT-RTX times no kernels when it builds, so it has no timing cache")
    blob = path.read_bytes() if path.exists() else b""
    cache = config.create_timing_cache(blob)
    if cache is None or not config.set_timing_cache(cache, ignore_mismatch=False):
        log.warning("%s is damaged or of another GPU or TensorRT; it starts afresh", path)
        config.set_timing_cache(config.create_timing_cache(b""), ignore_mismatch=False)


def save_timing_cache(config: trt.IBuilderConfig, path: Path) -> None:
    """Writes the configuration's cache to `path`, whole or not at all. Raises BuildError if it cannot be written."""
    try:
        with atomic_write(path) as file:
            file.write(memoryview(config.get_timing_cache().serialize()))
    except OSError as error:
        raise BuildError(f"cannot write the timing cache {path}: {error.strerror or error}") from error
