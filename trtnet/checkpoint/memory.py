"""Checkpoints that are already in memory: numpy arrays, torch tensors, a live torch module."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from trtnet.checkpoint.base import Array, Checkpoint, TensorSpec, UnreadableError, plain, supported_dtype
from trtnet.checkpoint.state_dicts import without_extra_state
from trtnet.support.errors import CheckpointError
from trtnet.support.text.counted import an

# torch has no numpy dtype for these; an integer of the same width carries their bits across.
_CARRIERS = {
    "bfloat16": "int16",
    "float8_e4m3fn": "uint8",
    "float8_e5m2": "uint8",
    "float8_e8m0fnu": "uint8",
}


class MappingCheckpoint(Checkpoint):
    """Named numpy arrays or torch tensors; the arrays it returns share their memory.

    Complex numbers are their real and imaginary part in a last axis of 2, as torch.view_as_real gives them.

    Raises CheckpointError for a key that is not a str or a value that is not a tensor, naming it.
    """

    def __init__(self, name: str, tensors: Mapping[str, Any]) -> None:
        kept = without_extra_state(tensors, is_array)
        for key, value in kept.items():
            _require_tensor(name, key, value)
        self._tensors = {key: _in_two_parts(value) for key, value in kept.items()}
        super().__init__(name, self._tensors)

    def _spec(self, key: str) -> TensorSpec:
        value = self._tensors[key]
        if is_tensor(value):
            _require_dense(self.name, key, value)
        shape = tuple(value.shape)
        return TensorSpec(shape, supported_dtype(value.dtype, self.name, key, shape))

    def _read(self, key: str) -> Array:
        value, dtype = self._tensors[key], self._spec(key).dtype
        if not is_tensor(value):
            return plain(value, dtype)
        carrier = _CARRIERS.get(dtype.name)
        try:
            value = value.detach().cpu().resolve_neg().contiguous()
            if carrier is None:
                return plain(value.numpy(), dtype)
            return plain(value.view(getattr(sys.modules["torch"], carrier)).numpy().view(dtype.numpy), dtype)
        except (RuntimeError, TypeError, NotImplementedError) as error:
            raise CheckpointError(
                f"{self.name}: {key} is {an(type(value).__name__)} that torch cannot hand to numpy: {error}"
            ) from error

    def _release(self) -> None:
        self._tensors = {}


def _in_two_parts(value: Any) -> Any:
    if is_tensor(value) and value.is_complex():
        return sys.modules["torch"].view_as_real(value.detach().resolve_conj())
    if isinstance(value, np.ndarray) and value.dtype.kind == "c":
        return np.ascontiguousarray(value).view(value.real.dtype).reshape(*value.shape, 2)
    return value


def is_tensor(value: object) -> bool:
    """Whether `value` is a torch tensor. Does not import torch: without it there are no tensors."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def is_array(value: object) -> bool:
    """Whether `value` is a numpy array or a torch tensor."""
    return isinstance(value, np.ndarray) or is_tensor(value)


def is_module(value: object) -> bool:
    """Whether `value` is a torch module. Does not import torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module)


def _require_tensor(name: str, key: object, value: object) -> None:
    if not isinstance(key, str):
        raise CheckpointError(f"{name}: the key {key!r} is {an(type(key).__name__)}; keys are strings")
    if not is_array(value):
        raise CheckpointError(
            f"{name}: {key} is {an(type(value).__name__)}, not a tensor. A state dict holds nothing but"
            f" tensors: save model.state_dict(), or pass the part that is one."
        )


def _require_dense(name: str, key: str, tensor: Any) -> None:
    shape, layout = tuple(tensor.shape), str(tensor.layout).removeprefix("torch.")
    if tensor.is_quantized:
        advice = "is a quantized torch tensor. Save tensor.dequantize() in its place."
        raise UnreadableError(name, key, str(tensor.dtype).removeprefix("torch."), shape, advice)
    if layout != "strided":
        advice = f"is a sparse tensor ({tensor.layout}). Save tensor.to_dense() instead."
        raise UnreadableError(name, key, f"{layout} {tensor.dtype}".replace("torch.", ""), shape, advice)
    if tensor.is_meta:
        advice = "is on torch's meta device and has no data. Load the weights first."
        raise UnreadableError(name, key, "no data (torch's meta device)", shape, advice)
