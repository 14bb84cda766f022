"""Reading the parameters of a TorchScript archive, without torch and without running any of it."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from trtnet import dtypes
from trtnet.checkpoint.base import Array, Checkpoint, TensorSpec, plain
from trtnet.dtypes import DType
from trtnet.errors import CheckpointError

STORAGES = {
    "FloatStorage": dtypes.float32,
    "DoubleStorage": dtypes.float64,
    "HalfStorage": dtypes.float16,
    "BFloat16Storage": dtypes.bfloat16,
    "LongStorage": dtypes.int64,
    "IntStorage": dtypes.int32,
    "ShortStorage": dtypes.int16,
    "CharStorage": dtypes.int8,
    "ByteStorage": dtypes.uint8,
    "BoolStorage": dtypes.bool_,
}
DEEPEST = 100


class _Stored:
    """A tensor as the pickle describes it: where its elements are, and how they are laid out."""

    def __init__(self, storage: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object) -> None:
        (self.dtype, self.member), self.offset, self.size, self.stride = storage, offset, size, stride


class _Module:
    """What the archive calls a module: a bag of attributes."""

    def __init__(self) -> None:
        self.attributes: dict[str, Any] = {}

    def __setstate__(self, state: object) -> None:
        self.attributes = dict(state) if isinstance(state, dict) else {}


class _Unpickler(pickle.Unpickler):
    """Makes modules, tensors and plain containers, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("__torch__"):
            return _Module
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Stored
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return lambda tensor, *_: tensor
        if (module, name) == ("collections", "OrderedDict"):
            return dict
        if module == "torch.jit._pickle":
            return lambda values, *_: values
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is no weight")

    def persistent_load(self, pid: Any) -> tuple[DType, str]:
        kind, dtype, key, *_ = pid
        if kind != "storage" or not isinstance(dtype, DType):
            raise pickle.UnpicklingError("it has a storage of a kind unknown here")
        return dtype, str(key)


class TorchScriptFile(Checkpoint):
    """The parameters and buffers of a TorchScript archive (torch.jit.save), by their path, read when asked for.

    Its code is not looked at. Raises CheckpointError if the archive is damaged or holds more than modules and tensors.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
            members = {name.partition("/")[2]: name for name in self._zip.namelist()}
            root = _Unpickler(io.BytesIO(self._zip.read(members["data.pkl"]))).load()
        # a damaged archive or pickle raises almost anything
        except Exception as error:
            raise CheckpointError(f"{path} is not a readable TorchScript archive: {error}") from error
        self._members = members
        self._tensors = _tensors(root)
        super().__init__(str(path), self._tensors)

    def _spec(self, key: str) -> TensorSpec:
        stored = self._tensors[key]
        return TensorSpec(tuple(stored.size), stored.dtype)

    def _read(self, key: str) -> Array:
        stored = self._tensors[key]
        try:
            data = np.frombuffer(self._zip.read(self._members[f"data/{stored.member}"]), stored.dtype.numpy)
            steps = [step * data.itemsize for step in stored.stride]
            last = stored.offset + sum((n - 1) * s for n, s in zip(stored.size, stored.stride, strict=True))
            if min((*stored.size, *stored.stride, stored.offset), default=0) < 0 or last >= max(data.size, 1):
                raise ValueError("it reaches beyond its storage")
            return plain(np.lib.stride_tricks.as_strided(data[stored.offset :], stored.size, steps), stored.dtype)
        except (KeyError, ValueError, TypeError, zipfile.BadZipFile, OSError) as error:
            raise CheckpointError(f"{self.name}: {key} cannot be read: {error}") from error

    def _release(self) -> None:
        self._zip.close()


def _tensors(module: object, path: str = "", depth: int = 0) -> dict[str, _Stored]:
    """The tensors below a module, by their path."""
    if not isinstance(module, _Module) or depth > DEEPEST:
        return {}
    found: dict[str, _Stored] = {}
    for name, value in module.attributes.items():
        here = f"{path}{name}"
        if isinstance(value, _Stored):
            found[here] = value
        else:
            found |= _tensors(value, f"{here}.", depth + 1)
    return found
