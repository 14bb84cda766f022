"""Write a network in PyTorch-like Python, load its PyTorch checkpoint by name, get a TensorRT engine, and a proof.

``import trtnet`` itself loads nothing: each name below is loaded when it is first used, so that `trtnet doctor` and
the checkpoint tools work without a TensorRT.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trtnet import models, nn, ops, weights
    from trtnet.builder import BuildConfig
    from trtnet.checkpoint import open_checkpoint
    from trtnet.definition import DefinedNetwork, Quantize, TensorParallel, build, define
    from trtnet.definition.torch_module import TorchModule
    from trtnet.generation import GenerationConfig, Generator
    from trtnet.generation.speech import Transcriber, TranscriptionConfig
    from trtnet.graph import Dim, Input, State, Tensor
    from trtnet.ops.formulations import Tuning
    from trtnet.reference import Lockstep
    from trtnet.runtime import Communicator, Engine, EngineOptions, Streams, load
    from trtnet.support import errors
    from trtnet.support.errors import (
        ArgumentError,
        BackendError,
        BuildError,
        CheckpointError,
        ClosedError,
        DependencyError,
        DeviceError,
        DifferenceError,
        DTypeError,
        ExecutionError,
        FileError,
        InputError,
        LayerError,
        ModelError,
        PlanError,
        ProfileError,
        TrtnetError,
        WeightsError,
    )
    from trtnet.tools.audit.audit import audit
    from trtnet.tools.generation.generate import generate
    from trtnet.tools.quantize.quantize import quantize
    from trtnet.tools.speech.transcribe import transcribe
    from trtnet.tools.tune.tune import tune
    from trtnet.verify.bisection.bisect import bisect
    from trtnet.verify.comparison.compare import compare
    from trtnet.verify.metrics.tolerances import Tolerance
    from trtnet.verify.precision.search import search_precision

_HOME = {
    "ArgumentError": "trtnet.support.errors",
    "BackendError": "trtnet.support.errors",
    "BuildConfig": "trtnet.builder",
    "BuildError": "trtnet.support.errors",
    "CheckpointError": "trtnet.support.errors",
    "ClosedError": "trtnet.support.errors",
    "Communicator": "trtnet.runtime",
    "DTypeError": "trtnet.support.errors",
    "DefinedNetwork": "trtnet.definition",
    "DependencyError": "trtnet.support.errors",
    "DeviceError": "trtnet.support.errors",
    "DifferenceError": "trtnet.support.errors",
    "Dim": "trtnet.graph",
    "Engine": "trtnet.runtime",
    "EngineOptions": "trtnet.runtime",
    "ExecutionError": "trtnet.support.errors",
    "FileError": "trtnet.support.errors",
    "GenerationConfig": "trtnet.generation",
    "Generator": "trtnet.generation",
    "Input": "trtnet.graph",
    "InputError": "trtnet.support.errors",
    "LayerError": "trtnet.support.errors",
    "Lockstep": "trtnet.reference",
    "ModelError": "trtnet.support.errors",
    "PlanError": "trtnet.support.errors",
    "ProfileError": "trtnet.support.errors",
    "Quantize": "trtnet.definition",
    "State": "trtnet.graph",
    "Streams": "trtnet.runtime",
    "Tensor": "trtnet.graph",
    "TensorParallel": "trtnet.definition",
    "Tuning": "trtnet.ops.formulations",
    "Tolerance": "trtnet.verify.metrics.tolerances",
    "TorchModule": "trtnet.definition.torch_module",
    "Transcriber": "trtnet.generation.speech",
    "TranscriptionConfig": "trtnet.generation.speech",
    "TrtnetError": "trtnet.support.errors",
    "WeightsError": "trtnet.support.errors",
    "audit": "trtnet.tools.audit.audit",
    "bisect": "trtnet.verify.bisection.bisect",
    "build": "trtnet.definition",
    "compare": "trtnet.verify.comparison.compare",
    "define": "trtnet.definition",
    "errors": "trtnet.support",
    "generate": "trtnet.tools.generation.generate",
    "load": "trtnet.runtime",
    "models": "",
    "nn": "",
    "open_checkpoint": "trtnet.checkpoint",
    "quantize": "trtnet.tools.quantize.quantize",
    "ops": "",
    "search_precision": "trtnet.verify.precision.search",
    "transcribe": "trtnet.tools.speech.transcribe",
    "tune": "trtnet.tools.tune.tune",
    "weights": "",
}

__all__ = [
    "ArgumentError",
    "BackendError",
    "BuildConfig",
    "BuildError",
    "CheckpointError",
    "ClosedError",
    "Communicator",
    "DTypeError",
    "DefinedNetwork",
    "DependencyError",
    "DeviceError",
    "DifferenceError",
    "Dim",
    "Engine",
    "EngineOptions",
    "ExecutionError",
    "FileError",
    "GenerationConfig",
    "Generator",
    "Input",
    "InputError",
    "LayerError",
    "Lockstep",
    "ModelError",
    "PlanError",
    "ProfileError",
    "Quantize",
    "State",
    "Streams",
    "Tensor",
    "TensorParallel",
    "Tolerance",
    "TorchModule",
    "Transcriber",
    "TranscriptionConfig",
    "TrtnetError",
    "Tuning",
    "WeightsError",
    "audit",
    "bisect",
    "build",
    "compare",
    "define",
    "errors",
    "generate",
    "load",
    "models",
    "nn",
    "open_checkpoint",
    "ops",
    "quantize",
    "search_precision",
    "transcribe",
    "tune",
    "weights",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from trtnet.support.version import version

        return version()
    if name not in _HOME:
        raise AttributeError(f"module 'trtnet' has no attribute {name!r}")
    home = _HOME[name]
    value = getattr(import_module(home), name) if home else import_module(f"trtnet.{name}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
