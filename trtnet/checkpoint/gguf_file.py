"""Reading the floating tensors of a GGUF file, with the gguf package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trtnet import dtypes
from trtnet.checkpoint.base import Array, Checkpoint, TensorSpec, plain
from trtnet.dtypes import DType
from trtnet.errors import CheckpointError, DependencyError

DTYPES = {"F32": dtypes.float32, "F16": dtypes.float16, "BF16": dtypes.bfloat16, "F64": dtypes.float64}
DTYPES |= {f"I{bits}": dtypes.get(f"int{bits}") for bits in (8, 16, 32, 64)}


class GGUFFile(Checkpoint):
    """A GGUF file's tensors, memory-mapped; one in a block-quantized type is an error when it is asked for.

    Raises CheckpointError if the file is damaged, DependencyError without the gguf package.
    """

    def __init__(self, path: Path) -> None:
        try:
            from gguf import GGUFReader
        except ImportError as error:
            raise DependencyError(f"reading {path} needs gguf: pip install 'trtnet[gguf]'") from error
        try:
            self._tensors: dict[str, Any] = {tensor.name: tensor for tensor in GGUFReader(path).tensors}
        # on a damaged file the package raises almost anything
        except Exception as error:
            raise CheckpointError(f"{path} is not a readable GGUF file: {error}. Download it again.") from error
        super().__init__(str(path), self._tensors)

    def _dtype(self, key: str) -> DType:
        kind = self._tensors[key].tensor_type.name
        if kind not in DTYPES:
            raise CheckpointError(
                f"{self.name}: {key} is quantized to {kind}; trtnet reads {', '.join(DTYPES)}. Use the model's"
                f" floating checkpoint."
            )
        return DTYPES[kind]

    def _spec(self, key: str) -> TensorSpec:
        # GGUF lists the sizes from the innermost
        return TensorSpec(tuple(int(n) for n in reversed(self._tensors[key].shape)), self._dtype(key))

    def _read(self, key: str) -> Array:
        spec = self._spec(key)
        try:
            return plain(self._tensors[key].data.reshape(-1).view(spec.dtype.numpy).reshape(spec.shape), spec.dtype)
        except ValueError as error:
            raise CheckpointError(f"{self.name}: {key} has the impossible shape {spec}: {error}") from error

    def _release(self) -> None:
        self._tensors = {}
