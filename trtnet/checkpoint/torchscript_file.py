"""Reading the parameters of a TorchScript archive, without torch and without running any of it."""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

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
"""The most modules in each other."""
MOST_ATTRIBUTES = 1_000_000
"""The most attributes of all modules; those of a module that has several names count for each."""
LARGEST_PICKLE = 1 << 24
"""Bytes of the description of the modules."""
LARGEST_EXPANDED = 1 << 24
"""The most elements of a tensor that has more of them than its storage, as after torch.expand."""


class _Storage(NamedTuple):
    """Where elements are: their type, the member of the archive, and how many there are."""

    dtype: DType
    member: str
    elements: int


class _Stored:
    """A tensor as the pickle describes it: where its elements are, and how they are laid out."""

    def __init__(self, storage: Any, offset: Any, size: Any, stride: Any, *_: object) -> None:
        numbers = (offset, *size, *stride)
        if not isinstance(storage, _Storage) or not all(isinstance(n, int) and n >= 0 for n in numbers):
            raise pickle.UnpicklingError(f"it has a tensor of the impossible size {size}, stride {stride}")
        elements = math.prod(size)
        if elements > max(storage.elements, LARGEST_EXPANDED):
            raise pickle.UnpicklingError(f"{elements:,} elements are in a storage of {storage.elements:,}")
        last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        if elements and last >= storage.elements:
            raise pickle.UnpicklingError("it has a tensor that reaches beyond its storage")
        self.storage, self.offset = storage, offset
        self.size, self.stride = tuple(size), tuple(stride)


class _Module:
    """What the archive calls a module: a bag of attributes; None where the archive gives it none."""

    attributes: dict[str, Any] | None = None

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

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _, count = pid
        if kind != "storage" or not isinstance(dtype, DType) or not isinstance(count, int):
            raise pickle.UnpicklingError("it has a storage of a kind unknown here")
        return _Storage(dtype, str(key), count)


class TorchScriptFile(Checkpoint):
    """The parameters and buffers of a TorchScript archive (torch.jit.save), by their path, read when asked for.

    Its code is not looked at. Raises CheckpointError if the archive is damaged or holds more than modules and tensors.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
            self._members = {info.filename.partition("/")[2]: info for info in self._zip.infolist()}
            self._tensors = _tensors(_load(self._content("data.pkl", LARGEST_PICKLE)))
        # a damaged archive or pickle raises almost anything
        except Exception as error:
            raise CheckpointError(f"{path} is not a readable TorchScript archive: {error}") from error
        super().__init__(str(path), self._tensors)

    def _spec(self, key: str) -> TensorSpec:
        stored = self._tensors[key]
        return TensorSpec(stored.size, stored.storage.dtype)

    def _read(self, key: str) -> Array:
        stored = self._tensors[key]
        dtype, member, count = stored.storage
        try:
            data = np.frombuffer(self._content(f"data/{member}", count * dtype.numpy.itemsize), dtype.numpy)
            if data.size != count:
                raise ValueError(f"its storage has {data.size:,} elements in place of {count:,}")
            steps = [step * data.itemsize for step in stored.stride]
            return plain(np.lib.stride_tricks.as_strided(data[stored.offset :], stored.size, steps), dtype)
        # a damaged member fails in zipfile, zlib or numpy, each with its own types
        except Exception as error:
            raise CheckpointError(f"{self.name}: {key} cannot be read: {error}") from error

    def _content(self, name: str, limit: int) -> bytes:
        """A member, of which no more is unpacked than the archive's directory promises."""
        info = self._members[name]
        if info.file_size > limit:
            raise ValueError(f"{name} has {info.file_size:,} bytes, more than the {limit:,} that it may have")
        with self._zip.open(info) as file:
            return file.read(info.file_size)

    def _release(self) -> None:
        self._zip.close()


def _load(content: bytes) -> object:
    # what a pickle remembers under a high number costs memory up to that number
    numbers = (number for code, number, _ in pickletools.genops(content) if code.name.endswith("PUT"))
    if any(number is not None and number > len(content) for number in numbers):
        raise pickle.UnpicklingError("it remembers more than it has")
    return _Unpickler(io.BytesIO(content)).load()


def _tensors(root: object) -> dict[str, _Stored]:
    """The tensors below a module, by their path."""
    if not isinstance(root, _Module):
        raise pickle.UnpicklingError("it holds no module")
    found: dict[str, _Stored] = {}
    ahead: list[tuple[str, object, int]] = [("", root, 0)]
    for _ in range(MOST_ATTRIBUTES):
        if not ahead:
            return found
        path, value, depth = ahead.pop()
        if isinstance(value, _Stored):
            if path in found:
                raise pickle.UnpicklingError(f"it has two tensors {path}")
            found[path] = value
        elif isinstance(value, _Module):
            if value.attributes is None or depth > DEEPEST:
                raise pickle.UnpicklingError(f"its module {path[:100]!r} has no attributes, or is too deep in others")
            prefix = f"{path}." if path else ""
            ahead += [(f"{prefix}{name}", one, depth + 1) for name, one in reversed(value.attributes.items())]
    raise pickle.UnpicklingError(f"its modules have more than {MOST_ATTRIBUTES:,} attributes")
