"""Reading GGUF files with the gguf package: floating tensors as they are, quantized blocks as float32."""

from __future__ import annotations

import mmap
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np

from trtnet.checkpoint.base import Array, Checkpoint, TensorSpec, UnreadableError, plain
from trtnet.checkpoint.formats.sharded import ShardedCheckpoint
from trtnet.support import dtypes
from trtnet.support.dtypes import DType
from trtnet.support.errors import CheckpointError, DependencyError
from trtnet.support.text.counted import counted

DTYPES = {"F32": dtypes.float32, "F16": dtypes.float16, "BF16": dtypes.bfloat16, "F64": dtypes.float64}
DTYPES |= {f"I{bits}": dtypes.get(f"int{bits}") for bits in (8, 16, 32, 64)}
_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_TEXT, _LIST = 8, 9
_WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of a value in a header by the number of its type; texts and lists have others."""
_AFTER_SIZES = 12
"""Bytes of a tensor's type and of where it begins."""
_PART = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$")


class GGUFFile(Checkpoint):
    """A GGUF file's tensors, memory-mapped; those in block-quantized types become float32 when they are read.

    Raises CheckpointError if the file is damaged, DependencyError without the gguf package.
    """

    def __init__(self, path: Path) -> None:
        try:
            from gguf import GGUFReader
        except ImportError as error:
            raise DependencyError(f"reading {path} needs gguf: pip install 'trtnet[gguf]'") from error
        try:
            _check_header(path)
            reader = GGUFReader(path)
            self._tensors: dict[str, Any] = {tensor.name: tensor for tensor in reader.tensors}
            self._fields = reader.fields
            count = reader.get_field("split.count")
            self.parts = int(count.contents()) if count is not None else 1
            self._swapped = reader.byte_order == "S"
        # on a damaged file the package raises almost anything
        except Exception as error:
            raise CheckpointError(f"{path} is not a readable GGUF file: {_why(path)}. Download it again.") from error
        _check_places(path, reader)
        super().__init__(str(path), self._tensors)

    def fields(self) -> dict[str, Any]:
        """What the file says beside its tensors: ``llama.block_count``, ``tokenizer.ggml.tokens``.

        Raises CheckpointError for a value that cannot be read.
        """
        try:
            return {name: field.contents() for name, field in self._fields.items()}
        except Exception as error:  # as above
            raise CheckpointError(f"{self.name}: what it says of itself cannot be read: {error}") from error

    def _stored_dtype(self, key: str) -> str:
        kind = str(self._tensors[key].tensor_type.name)
        return "" if kind in DTYPES else kind

    def block_type(self, key: str) -> str:
        return "" if self._swapped else self._stored_dtype(key)

    def blocks(self, key: str) -> Array:
        self._check(key)
        return np.ascontiguousarray(self._tensors[key].data).reshape(-1).view(np.uint8)

    def _dtype(self, key: str) -> DType:
        from gguf import quants

        kind = self._tensors[key].tensor_type
        if kind.name in DTYPES:
            return DTYPES[kind.name]
        if kind not in quants._type_traits or self._swapped:
            advice = f"is quantized to {kind.name}, which is not read{' in big-endian files' * self._swapped}."
            raise UnreadableError(self.name, key, kind.name, self._shape(key), f"{advice} Use the floating checkpoint.")
        return dtypes.float32

    def _shape(self, key: str) -> tuple[int, ...]:
        # GGUF lists the sizes from the innermost
        return tuple(int(n) for n in reversed(self._tensors[key].shape))

    def _spec(self, key: str) -> TensorSpec:
        return TensorSpec(self._shape(key), self._dtype(key))

    def _read(self, key: str) -> Array:
        spec, tensor = self._spec(key), self._tensors[key]
        try:
            if tensor.tensor_type.name not in DTYPES:
                from gguf import quants

                return plain(quants.dequantize(tensor.data, tensor.tensor_type).reshape(spec.shape), spec.dtype)
            wide = spec.dtype.numpy.newbyteorder(">") if self._swapped and spec.dtype.bits > 8 else spec.dtype.numpy
            flat = np.ascontiguousarray(tensor.data).reshape(-1).view(np.uint8)
            return plain(_elements(flat, spec.dtype, wide).reshape(spec.shape), spec.dtype)
        # the package's functions for damaged blocks raise almost anything
        except Exception as error:
            raise CheckpointError(f"{self.name}: {key} cannot be read as {spec}: {error}") from error

    def _release(self) -> None:
        self._tensors = {}


def open_gguf(path: Path) -> Checkpoint:
    """Opens a GGUF file, and with the first part of a split one its other parts.

    Raises what GGUFFile raises, and CheckpointError where a part is missing or it is not the first.
    """
    first = GGUFFile(path)
    named = _PART.search(path.name)
    if first.parts < 2:
        return first
    if named is None or int(named[1]) != 1 or int(named[2]) != first.parts:
        raise CheckpointError(
            f"{path} is one of {counted(first.parts, 'part')} of a split GGUF file. Open the first one, of the name"
            f" NAME-00001-of-{first.parts:05}.gguf, with the others beside it"
        )
    stem = path.name[: named.start()]
    others = [path.with_name(f"{stem}-{part:05}-of-{first.parts:05}.gguf") for part in range(2, first.parts + 1)]
    if missing := [other.name for other in others if not other.is_file()]:
        raise CheckpointError(
            f"{path} is the first of {counted(first.parts, 'part')}, and {missing[0]} is not beside it"
        )
    return ShardedCheckpoint.joined(str(path), [first, *map(GGUFFile, others)])


class _Header:
    """Goes through a header without keeping anything of it: what it counts must be there.

    The package would go on, number by number, for what a damaged count says.
    Source: the GGUF specification, ggml/docs/gguf.md.
    """

    def __init__(self, data: mmap.mmap) -> None:
        self._data, self._place = data, 4
        self._order = "<" if int.from_bytes(data[4:8], "little") & 0xFFFF else ">"

    def check(self) -> None:
        """Raises ValueError where it ends after the file."""
        if self._number("I") not in _VERSIONS:
            return  # which the package says
        tensors, fields = self._number("Q"), self._number("Q")
        for _ in range(fields):
            self._text()
            self._value(self._number("I"))
        for _ in range(tensors):
            self._text()
            self._skip(8 * self._number("I"))
            self._skip(_AFTER_SIZES)

    def _skip(self, count: int) -> None:
        if count > len(self._data) - self._place:
            raise ValueError("its header ends after it")
        self._place += count

    def _number(self, kind: str) -> int:
        begin = self._place
        self._skip(struct.calcsize(f"<{kind}"))
        (found,) = struct.unpack_from(f"{self._order}{kind}", self._data, begin)
        return int(found)

    def _text(self) -> None:
        self._skip(self._number("Q"))

    def _value(self, kind: int) -> None:
        if kind == _LIST:
            inner, count = self._number("I"), self._number("Q")
            if inner in _WIDTHS:
                self._skip(count * _WIDTHS[inner])
            else:
                for _ in range(count):
                    self._value(inner)
        elif kind == _TEXT:
            self._text()
        elif kind in _WIDTHS:
            self._skip(_WIDTHS[kind])
        else:
            raise ValueError(f"a value in its header is of the unknown type {kind}")


def _check_header(path: Path) -> None:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[:4] == _MAGIC:
            _Header(data).check()


def _check_places(path: Path, reader: Any) -> None:
    """Raises CheckpointError unless the tensors lie end to end up to the file's: others would be other numbers.

    Source: the GGUF specification, ggml/docs/gguf.md: an offset is a multiple of general.alignment, and what is between
    two tensors fills up to it. llama.cpp's reader refuses gaps, too; not what is behind the last tensor, which is where
    a header that counts too few leaves the others.
    """
    alignment = int(reader.alignment)
    end, last = int(reader.data_offset), "the header"
    for tensor in sorted(reader.tensors, key=lambda tensor: (tensor.data_offset, tensor.n_bytes)):
        at, why = int(tensor.data_offset), ""
        if at < end:
            why = f"within {last}"
        elif (at - reader.data_offset) % alignment:
            why = f"between multiples of {counted(alignment, 'byte')}"
        elif at - end >= alignment:
            why = f"{counted(at - end, 'byte')} behind {last}"
        if why:
            raise CheckpointError(f"{path} is damaged: the data of {tensor.name} begins {why}. Download it again.")
        end, last = at + int(tensor.n_bytes), tensor.name
    size = path.stat().st_size
    if size - end >= alignment:
        raise CheckpointError(
            f"{path} is damaged: it goes on for {counted(size - end, 'byte')} behind {last}. Download it again."
        )


def _why(path: Path) -> str:
    """In our words: the package's are those of numpy."""
    try:
        with path.open("rb") as file:
            if file.read(4) == _MAGIC:
                return f"it is damaged; it has {counted(path.stat().st_size, 'byte')}"
    except OSError as error:
        return error.strerror or str(error)
    return "it does not begin with GGUF"


def _elements(flat: Array, dtype: DType, stored: np.dtype[Any]) -> Array:
    if stored.isnative:
        return flat.view(dtype.numpy)
    # ml_dtypes have no other byte order: the bytes are turned around as integers
    return flat.view(f">u{dtype.numpy.itemsize}").astype(f"=u{dtype.numpy.itemsize}").view(dtype.numpy)
