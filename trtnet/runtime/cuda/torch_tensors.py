"""torch CUDA tensors as inputs and outputs: checked, made fit for TensorRT, ordered with torch's streams."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from trtnet.support.errors import InputError

ALIGNMENT = 256
"""Bytes: the alignment that ``IExecutionContext::setTensorAddress`` asks for. torch's own allocations have it."""


class Torch:
    """What the runtime asks of torch, which is imported when a tensor is first given."""

    def __init__(self) -> None:
        import torch
        import torch.utils.dlpack

        self._torch = torch
        # what code that torch.compile makes asks: 0.1 microseconds instead of 4
        self._raw_stream = getattr(torch._C, "_cuda_getCurrentRawStream", None)

    def current_stream(self, index: int) -> int:
        """The handle of the calling thread's current stream of a GPU; 0 is the default stream."""
        if self._raw_stream is not None:
            return int(self._raw_stream(index))
        return int(self._torch.cuda.current_stream(index).cuda_stream)

    def empty(self, shape: tuple[int, ...], dtype: str, device: Any) -> Any:
        return self._torch.empty(shape, dtype=getattr(self._torch, dtype), device=device)

    def tensor_of(self, array: Any) -> Any:
        """A tensor of the memory of another library's array on the GPU. Raises InputError if there is none."""
        try:
            if hasattr(type(array), "__dlpack__"):
                return self._torch.utils.dlpack.from_dlpack(array)
            return self._torch.as_tensor(array, device="cuda")
        except Exception as error:  # whatever the other library raises
            raise InputError(f"torch cannot take the memory of {type(array).__name__}: {error}") from error

    def like(self, array: Any, tensor: Any) -> Any:
        """A tensor's memory in the kind of another library's array, or the tensor where that takes no DLPack."""
        library = sys.modules.get(type(array).__module__.partition(".")[0])
        convert = getattr(library, "from_dlpack", None)
        return tensor if convert is None else convert(tensor)

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


def is_ready(tensor: Any) -> bool:
    """Whether TensorRT can read and write a tensor where it is: contiguous, at an aligned address."""
    return bool(tensor.is_contiguous()) and tensor.data_ptr() % ALIGNMENT == 0


def ready(tensor: Any) -> Any:
    """The tensor itself, or a copy where TensorRT cannot read it in place. Raises InputError if it has no memory."""
    _check_memory(tensor)
    if is_ready(tensor):
        return tensor
    copy = tensor.contiguous()
    return copy if is_ready(copy) else copy.clone()


def check_in_place(tensor: Any, name: str) -> None:
    """Raises InputError for a tensor that TensorRT cannot write to as it is."""
    _check_memory(tensor)
    if not is_ready(tensor):
        raise InputError(
            f"{name} is written to, so its tensor must be contiguous and begin at a multiple of {ALIGNMENT} bytes"
        )


def check_apart(outputs: Mapping[str, Any], inputs: Mapping[str, Any], aliases: Mapping[str, str]) -> None:
    """Raises InputError for an output in memory that an input or another output has, where the engine is not to.

    TensorRT may read an input while it writes outputs. aliases: output -> the input that it is written in the place of.
    """
    spans = [(f"input {name}", *_span(tensor)) for name, tensor in inputs.items()]
    for name, tensor in outputs.items():
        start, end = _span(tensor)
        own = f"input {aliases[name]}" if name in aliases else ""
        for what, first, last in spans:
            if start < last and first < end and what != own:
                raise InputError(f"out= of output {name} shares memory with {what}: give it memory of its own")
        spans.append((f"output {name}", start, end))


def _span(tensor: Any) -> tuple[int, int]:
    first = tensor.data_ptr()
    return first, first + tensor.nbytes


def _check_memory(tensor: Any) -> None:
    if tensor.nbytes and not tensor.data_ptr():
        raise InputError(f"a tensor of shape {list(tensor.shape)} no longer has memory: it was freed")


def handle_of(stream: Any) -> int:
    """The ``cudaStream_t`` of a stream of torch, cupy or cuda.core, or an int. Raises InputError for anything else."""
    if isinstance(stream, int):
        return stream
    if hasattr(stream, "__cuda_stream__"):
        return int(stream.__cuda_stream__()[1])
    for attribute in ("cuda_stream", "ptr"):
        if hasattr(stream, attribute):
            return int(getattr(stream, attribute))
    raise InputError(f"stream= takes a CUDA stream or its handle as an int; found {type(stream).__name__}")
