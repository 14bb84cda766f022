"""Write a network in PyTorch-like Python, load its PyTorch checkpoint by name, get a TensorRT engine, and a proof.

``import trtnet`` loads nothing yet: the names below are loaded when they are first used, so that `trtnet doctor` and
the checkpoint tools work where no TensorRT is installed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trtnet import models, nn, ops, weights
    from trtnet.builder import BuildConfig
    from trtnet.checkpoint import open_checkpoint
    from trtnet.definition import DefinedNetwork, build, define
    from trtnet.graph import Dim, Input, Tensor
    from trtnet.runtime import Engine, EngineOptions, load
    from trtnet.verify.bisection.bisect import bisect
    from trtnet.verify.comparison.compare import compare
    from trtnet.verify.metrics.tolerances import Tolerance
    from trtnet.verify.precision.search import search_precision

_HOME = {
    "BuildConfig": "trtnet.builder",
    "DefinedNetwork": "trtnet.definition",
    "Dim": "trtnet.graph",
    "Engine": "trtnet.runtime",
    "EngineOptions": "trtnet.runtime",
    "Input": "trtnet.graph",
    "Tensor": "trtnet.graph",
    "Tolerance": "trtnet.verify.metrics.tolerances",
    "bisect": "trtnet.verify.bisection.bisect",
    "models": "",
    "open_checkpoint": "trtnet.checkpoint",
    "weights": "",
    "build": "trtnet.definition",
    "compare": "trtnet.verify.comparison.compare",
    "define": "trtnet.definition",
    "load": "trtnet.runtime",
    "nn": "",
    "ops": "",
    "search_precision": "trtnet.verify.precision.search",
}

__all__ = [
    "BuildConfig",
    "DefinedNetwork",
    "Dim",
    "Engine",
    "EngineOptions",
    "Input",
    "Tensor",
    "Tolerance",
    "bisect",
    "build",
    "compare",
    "define",
    "load",
    "models",
    "nn",
    "open_checkpoint",
    "ops",
    "search_precision",
    "weights",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name not in _HOME:
        raise AttributeError(f"module 'trtnet' has no attribute {name!r}")
    home = _HOME[name]
    value = getattr(import_module(home), name) if home else import_module(f"trtnet.{name}")
    globals()[name] = value
    return value


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("trtnet")
    except PackageNotFoundError:
        return "unknown"


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
