"""Reading GGUF files with the gguf package: floating tensors as they are, quantized blocks as float32."""

from __future__ import annotations

import re
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


def _check_places(path: Path, reader: Any) -> None:
    """Raises CheckpointError for a tensor that begins where none can, or within another: it would be other numbers.

    Source: the GGUF specification, ggml/docs/gguf.md: an offset is a multiple of general.alignment.
    """
    end, last = reader.data_offset, ""
    for tensor in sorted(reader.tensors, key=lambda tensor: (tensor.data_offset, tensor.n_bytes)):
        at = int(tensor.data_offset)
        if at < end or (at - reader.data_offset) % reader.alignment:
            why = f"within {last}" if at < end else f"between multiples of {counted(int(reader.alignment), 'byte')}"
            raise CheckpointError(f"{path} is damaged: the data of {tensor.name} begins {why}. Download it again.")
        end, last = at + int(tensor.n_bytes), tensor.name


def _why(path: Path) -> str:
    """In our words: the package's are those of numpy."""
    try:
        with path.open("rb") as file:
            if file.read(4) == b"GGUF":
                return f"it is damaged; it has {counted(path.stat().st_size, 'byte')}"
    except OSError as error:
        return error.strerror or str(error)
    return "it does not begin with GGUF"


def _elements(flat: Array, dtype: DType, stored: np.dtype[Any]) -> Array:
    if stored.isnative:
        return flat.view(dtype.numpy)
    # ml_dtypes have no other byte order: the bytes are turned around as integers
    return flat.view(f">u{dtype.numpy.itemsize}").astype(f"=u{dtype.numpy.itemsize}").view(dtype.numpy)
