"""The exceptions. Their text says what happened, where, what was found, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import isfunction


class TrtnetError(Exception):
    """Base of every error that trtnet raises on purpose; the command line prints it and exits with 2."""


class BackendError(TrtnetError, ImportError):
    """No usable TensorRT, or one that lacks what was asked of it."""


class DependencyError(TrtnetError, ImportError):
    """An optional Python package is needed and missing; the text names the extra that installs it."""


class DeviceError(TrtnetError):
    """No usable GPU, or the GPU or driver does not fit the plan or the backend."""


class DTypeError(TrtnetError, TypeError):
    """An element type that trtnet does not know."""


class LayerError(TrtnetError):
    """TensorRT or trtnet rejected a layer while a network was being defined."""


class ModelError(TrtnetError):
    """A model, its arguments or its declared inputs are wrong."""


class ArgumentError(ModelError, TypeError):
    """Wrong arguments: the inputs of a network, or the arguments of a layer's constructor."""


class CheckpointError(TrtnetError):
    """A checkpoint cannot be read: missing, truncated, corrupt, or not plain weights."""


class WeightsError(TrtnetError):
    """A checkpoint was read but does not match the model: weights that are missing, unexpected or of the wrong shape.

    missing: keys that only the model has. unexpected: keys that only the checkpoint has. mismatched: (key, the model's
    shape, the checkpoint's shape). These lists are complete, also where the text is shortened.
    """

    def __init__(
        self,
        message: str,
        missing: Sequence[str] = (),
        unexpected: Sequence[str] = (),
        mismatched: Sequence[tuple[str, tuple[int, ...], tuple[int, ...]]] = (),
    ) -> None:
        super().__init__(message)
        self.missing = tuple(missing)
        self.unexpected = tuple(unexpected)
        self.mismatched = tuple(mismatched)


class BuildError(TrtnetError):
    """TensorRT did not build the engine, or the build options are not possible."""


class ProfileError(TrtnetError, ValueError):
    """Optimization profiles that do not fit the network, or shapes that fit no profile of an engine."""


class PlanError(TrtnetError):
    """A plan file or its sidecar is missing, corrupt, or made by another backend or version."""


class FileError(TrtnetError, OSError):
    """A file cannot be written: no space, no such folder, no permission. It has OSError's errno, strerror, filename."""

    def __str__(self) -> str:
        return f"cannot write {self.filename}: {self.strerror}"


class InputError(TrtnetError, ValueError):
    """An input of a call has the wrong name, shape, dtype or device."""


class ClosedError(TrtnetError):
    """An engine or session was used after it was closed."""


class ExecutionError(TrtnetError):
    """The reference executor cannot execute a layer of this network, or not with the given values."""


class DifferenceError(TrtnetError, AssertionError):
    """What was compared is not close enough; the text is the comparison's table."""


for _kind in [kind for kind in globals().values() if isinstance(kind, type) and issubclass(kind, TrtnetError)]:
    for _named in (_kind, *filter(isfunction, vars(_kind).values())):
        _named.__module__ = "trtnet"  # where users find it, and what a traceback and the documentation show
