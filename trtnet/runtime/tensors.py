"""torch CUDA tensors as inputs and outputs: checked, made fit for TensorRT, ordered with torch's streams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trtnet.errors import InputError

ALIGNMENT = 256
"""Bytes: the alignment that ``IExecutionContext::setTensorAddress`` asks for. torch's own allocations have it."""


class Torch:
    """What the runtime asks of torch, which is imported when a tensor is first given."""

    def __init__(self) -> None:
        import torch

        self._torch = torch

    def current_stream(self, device: Any) -> int:
        """The handle of the calling thread's current stream of a device; 0 is the default stream."""
        return int(self._torch.cuda.current_stream(device).cuda_stream)

    def empty(self, shape: tuple[int, ...], dtype: str, device: Any) -> Any:
        return self._torch.empty(shape, dtype=getattr(self._torch, dtype), device=device)

    def keep(self, tensor: Any, device: Any) -> None:
        """Keeps a tensor's memory from reuse until the current stream has passed this point."""
        tensor.record_stream(self._torch.cuda.current_stream(device))


def check_devices(tensors: Mapping[str, Any], index: int) -> None:
    """Raises InputError for a tensor that is not on the GPU `index`."""
    for name, tensor in tensors.items():
        if not tensor.is_cuda:
            raise InputError(f"input {name} is a torch tensor on {tensor.device}; give tensor.cuda() or tensor.numpy()")
        if tensor.device.index != index:
            raise InputError(f"input {name} is on {tensor.device}, the engine on cuda:{index}")


def ready(tensor: Any) -> Any:
    """The tensor itself if TensorRT can read it in place, else a copy: contiguous, at an aligned address."""
    tensor = tensor.contiguous()
    return tensor.clone() if tensor.data_ptr() % ALIGNMENT else tensor
