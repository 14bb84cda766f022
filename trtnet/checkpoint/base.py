"""What every checkpoint is: a mapping from key to array that reads one tensor at a time."""

from __future__ import annotations

import hashlib
import json
import math
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from trtnet.support import dtypes
from trtnet.support.dtypes import DType, DTypeLike
from trtnet.support.errors import CheckpointError
from trtnet.support.text.counted import counted

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class TensorSpec:
    """The shape and element type of one tensor of a checkpoint."""

    shape: tuple[int, ...]
    dtype: DType

    @property
    def nbytes(self) -> int:
        """Bytes of the tensor as a numpy array."""
        return math.prod(self.shape) * self.dtype.numpy.itemsize

    def __str__(self) -> str:
        return f"{list(self.shape)} {self.dtype}"


@dataclass(frozen=True)
class Listed:
    """One tensor as its file has it. dtype: the file's own name of it. readable: whether trtnet can read it.

    nbytes: of what is read; None where it cannot be.
    """

    shape: tuple[int, ...]
    dtype: str
    nbytes: int | None

    @property
    def readable(self) -> bool:
        return self.nbytes is not None


class UnreadableError(CheckpointError):
    """A tensor of a kind that trtnet does not read: an error only if the tensor is needed.

    what: the kind in the file's own words. shape: of the tensor.
    """

    def __init__(self, checkpoint: str, key: str, what: str, shape: tuple[int, ...], advice: str = "") -> None:
        known = ", ".join(dtype.name for dtype in dtypes.TABLE)
        kind = advice or f"has the unsupported dtype {what}. trtnet reads {known}; convert or drop this tensor first."
        super().__init__(f"{checkpoint}: {key} {kind}")
        self.what, self.shape = what, shape


class Checkpoint(Mapping[str, Array]):
    """A read-only mapping of checkpoint key to numpy array; a tensor is read when it is asked for.

    Arrays are C-contiguous, aligned, of native byte order and bit-exact; bfloat16 and float8 have their
    ml_dtypes dtype. They share memory with the file or the live tensor where they can: do not write to them.
    They stay valid after :meth:`close`. Raises CheckpointError for a key that is not text.
    name: the path, or a description, for messages. metadata: the file's own text metadata, usually empty.
    flat: whether the file has no shapes, so that a tensor fits any weight with the same number of elements.
    """

    flat = False

    def __init__(self, name: str, keys: Iterable[str], metadata: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.metadata = dict(metadata or {})
        self._keys = dict.fromkeys(keys)
        for key in self._keys:
            if not is_text(key):
                raise CheckpointError(f"{name}: the key {key!r} is not text that a file can hold")
        self._closed = False

    @abstractmethod
    def _read(self, key: str) -> Array:
        """The tensor behind a key that exists."""

    @abstractmethod
    def _spec(self, key: str) -> TensorSpec:
        """The spec of the tensor behind a key that exists, without reading its data."""

    def _release(self) -> None:
        """Closes the files that the checkpoint has open."""

    def __getitem__(self, key: str) -> Array:
        """Reads one tensor. Raises KeyError for an unknown key, CheckpointError if it cannot be read."""
        self._check(key)
        return self._read(key)

    def info(self, key: str) -> TensorSpec:
        """The shape and dtype of one tensor; reads no data. Raises what indexing raises."""
        self._check(key)
        return self._spec(key)

    def listed(self, key: str) -> Listed:
        """One tensor as the file has it, also one that trtnet does not read; reads no data. Raises KeyError."""
        try:
            spec = self.info(key)
        except UnreadableError as error:
            return Listed(error.shape, error.what, None)
        return Listed(spec.shape, self._stored_dtype(key) or spec.dtype.name, spec.nbytes)

    def _stored_dtype(self, key: str) -> str:
        """The file's name of the dtype, where what is read has another one."""
        return ""

    def block_type(self, key: str) -> str:
        """The file's name of a type of blocks that hold values and their scales, as GGUF has them; "" for others."""
        return ""

    def blocks(self, key: str) -> Array:
        """The bytes of a tensor of such blocks, as they are in the file. Raises CheckpointError for another one."""
        raise CheckpointError(f"{self.name}: {key} has no blocks of values and scales")

    def pieces(self, key: str, elements: int) -> Iterator[Array]:
        """The elements of one tensor in order, so many at a time. Raises what indexing raises."""
        flat = self[key].reshape(-1)
        return (flat[start : start + elements] for start in range(0, flat.size, elements))

    def digest(self, keys: Iterable[str] | None = None) -> str:
        """SHA-256 (hex) of the names, dtypes, shapes and bytes: the same in whatever format they are stored.

        keys: of the tensors that count; all by default. Reads each, one at a time. Raises CheckpointError if one
        cannot be read.
        """
        return combine_digests({key: tensor_digest(key, self[key]) for key in (self if keys is None else keys)})

    def close(self) -> None:
        """Closes the file; reading afterwards raises CheckpointError. May be called twice."""
        if not self._closed:
            self._closed = True
            self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def __repr__(self) -> str:
        return f"<Checkpoint {self.name}: {counted(len(self), 'tensor')}>"

    def _check(self, key: str) -> None:
        if self._closed:
            raise CheckpointError(f"{self.name} is closed; open it again to read {key}")
        if key not in self._keys:
            raise KeyError(f"{self.name} has no tensor {key!r}")


def is_text(value: object) -> bool:
    """Whether it is a str that can be written: without half of a pair of UTF-16."""
    try:
        return isinstance(value, str) and (value.isascii() or bool(value.encode()))
    except UnicodeEncodeError:
        return False


def supported_dtype(dtype: DTypeLike, checkpoint: str, key: str, shape: tuple[int, ...]) -> DType:
    """The DType of a stored tensor. Raises UnreadableError for one that trtnet does not know."""
    try:
        return dtypes.get(dtype)
    except TypeError as error:
        raise UnreadableError(checkpoint, key, str(dtype).removeprefix("torch."), shape) from error


def plain(array: Array, dtype: DType) -> Array:
    """`array` as :class:`Checkpoint` promises it: C-contiguous, aligned, native byte order, no subclass."""
    return np.require(array, dtype.numpy, ["C", "A", "E"])


def raw_bytes(array: Array) -> memoryview:
    """The bytes of a contiguous array, shared. (Python refuses a buffer of ml_dtypes elements as it is.)"""
    return array.reshape(-1).view(np.uint8).data


def tensor_digest(key: str, array: Array) -> str:
    """The digest of one named tensor."""
    content = hashlib.sha256(raw_bytes(array)).hexdigest()
    return json.dumps([key, dtypes.get(array.dtype).name, array.shape, content])


def combine_digests(digests: Mapping[str, str]) -> str:
    """The digest of a checkpoint from those of its tensors, in whatever order these were read."""
    return hashlib.sha256("\n".join(digests[key] for key in sorted(digests)).encode()).hexdigest()
