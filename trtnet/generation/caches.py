"""A step's calls with the caches that it writes: on the host, with numpy arrays, or on the GPU, in place."""

from __future__ import annotations

from itertools import accumulate
from math import prod
from typing import Any

import numpy as np

from trtnet.support import dtypes
from trtnet.support.call_interface import TensorInfo

Array = np.ndarray[Any, Any]
CALLED = "input_ids", "write_indices", "places"
"""The inputs that each call gives."""


class HostCaches:
    """Caches as numpy arrays, which each call replaces.

    step, prompts: a reference, an engine or a session of a Step, for single tokens and for several.
    """

    def __init__(self, step: Any, prompts: Any, batch: int) -> None:
        self._calls = {False: step, True: prompts}
        self._caches: dict[str, Array] = {
            info.name: np.zeros((batch, *_sizes(info)), dtypes.get(info.dtype).numpy) for info in caches_of(step)
        }
        self._controls: dict[str, Array] = {}

    def begin(self, controls: dict[str, Array]) -> None:
        """Other sequences come next. controls: inputs that stay the same for them."""
        self._controls = controls

    def __call__(self, ids: Array, held: Array, places: Array) -> Array:
        """The tokens that are chosen next, [batch, count]."""
        called = {"input_ids": ids, "write_indices": held, "places": places}
        found = self._calls[ids.shape[1] > 1](**called, **self._controls, **self._caches)
        self._caches = {name: found[f"new_{name}"] for name in self._caches}
        return np.asarray(found["tokens"])

    def next(self, ids: Array, held: Array) -> Array:
        """The tokens [batch, 1] after one more token of each sequence."""
        return self(ids, held, np.zeros_like(ids))


class DeviceCaches:
    """Caches as torch tensors on a GPU, which the engine writes in place; each width has buffers of its own.

    step, prompts: an engine or a session of a Step, for single tokens and for several. device: torch's name of the GPU.
    """

    def __init__(self, step: Any, prompts: Any, batch: int, device: str) -> None:
        import torch

        self._torch, self._device, self._batch = torch, device, batch
        calls = {False: step, True: prompts}
        self._calls = {key: call.session() if hasattr(call, "session") else call for key, call in calls.items()}
        self._caches = {info.name: self._zeros(info) for info in caches_of(step)}
        self._controls = {
            info.name: self._zeros(info) for info in step.inputs if info.name not in {*self._caches, *CALLED}
        }
        self._capacity = int(caches_of(step)[0].shape[2])
        on_gpu = device.startswith("cuda")
        self._tokens = torch.empty(batch, 1, dtype=torch.int64, pin_memory=on_gpu)
        cuda: Any = torch.cuda
        self._arrived = cuda.Event() if on_gpu else None
        self._is_ahead = False
        self._buffers: dict[tuple[int, int], tuple[_Upload, dict[str, Any]]] = {}

    def begin(self, controls: dict[str, Array]) -> None:
        """Other sequences come next. controls: inputs that stay the same for them."""
        for name, array in controls.items():
            self._controls[name].copy_(self._torch.from_numpy(array))

    def __call__(self, ids: Array, held: Array, places: Array) -> Array:
        """The tokens that are chosen next, [batch, count]."""
        length, count = ids.shape[1], places.shape[1]
        upload, out = self._buffers_of(length, count)
        self._is_ahead = False
        upload.send(input_ids=ids, write_indices=held, places=places)
        self._run(length > 1, upload, out)
        return np.asarray(out["tokens"].cpu().numpy())

    def next(self, ids: Array, held: Array) -> Array:
        """The tokens [batch, 1] after one more token of each sequence: those of the call before.

        The step after it is queued before its tokens are read, so that the GPU does not wait for the host. What that
        step writes for sequences that have ended is overwritten before it is read.
        """
        upload, out = self._buffers_of(1, 1)
        if not self._is_ahead:
            upload.send(input_ids=ids, write_indices=held, places=np.zeros_like(ids))
            self._run(False, upload, out)
        self._tokens.copy_(out["tokens"], non_blocking=True)
        if self._arrived is not None:
            self._arrived.record(self._torch.cuda.current_stream(self._device))
        upload.tensors["input_ids"].copy_(out["tokens"])
        upload.tensors["write_indices"].add_(1).clamp_(max=self._capacity - 1)
        self._run(False, upload, out)
        self._is_ahead = True
        if self._arrived is not None:
            self._arrived.synchronize()
        return self._tokens.numpy().copy()

    def _run(self, are_several: bool, upload: _Upload, out: dict[str, Any]) -> None:
        self._calls[are_several](**upload.tensors, **self._controls, **self._caches, out=out)

    def _zeros(self, info: TensorInfo) -> Any:
        dtype = getattr(self._torch, info.dtype)
        return self._torch.zeros(self._batch, *_sizes(info), dtype=dtype, device=self._device)

    def _buffers_of(self, length: int, count: int) -> tuple[_Upload, dict[str, Any]]:
        """Tensors for what goes in and comes out, the same ones at each step, so that it is one CUDA graph."""
        if (length, count) not in self._buffers:
            if count != length:  # prompts of many lengths: the last one's are enough
                self._buffers = {key: value for key, value in self._buffers.items() if key[0] == key[1]}
            upload = _Upload(self._torch, self._batch, length, count, self._device)
            tokens = self._torch.empty(self._batch, count, dtype=self._torch.int64, device=self._device)
            own = {f"new_{name}": tensor for name, tensor in self._caches.items()}
            self._buffers[length, count] = upload, {"tokens": tokens, **own}
        return self._buffers[length, count]


class _Upload:
    """The small inputs of a step in one piece of memory, which goes to the GPU in one copy. tensors: there, by name."""

    def __init__(self, torch: Any, batch: int, length: int, count: int, device: str) -> None:
        shapes = {"input_ids": (batch, length), "places": (batch, count), "write_indices": (batch,)}
        dtypes = dict.fromkeys(shapes, torch.int64) | {"write_indices": torch.int32}
        starts = dict(zip(shapes, accumulate((_padded(8 * prod(s)) for s in shapes.values()), initial=0), strict=False))
        total = sum(_padded(8 * prod(shape)) for shape in shapes.values())
        self._host = torch.empty(total, dtype=torch.uint8, pin_memory=device.startswith("cuda"))
        self._there = torch.empty(total, dtype=torch.uint8, device=device)

        def views(memory: Any) -> dict[str, Any]:
            return {
                name: memory[starts[name] :][: prod(shape) * dtypes[name].itemsize].view(dtypes[name]).view(shape)
                for name, shape in shapes.items()
            }

        self._arrays = {name: tensor.numpy() for name, tensor in views(self._host).items()}
        self.tensors = views(self._there)

    def send(self, **arrays: Array) -> None:
        """The step before has ended when its tokens were read, so that its memory may be written."""
        for name, array in arrays.items():
            self._arrays[name][...] = array
        self._there.copy_(self._host, non_blocking=True)


def _padded(nbytes: int) -> int:
    """To where memory of its own would begin on a GPU."""
    return -(-nbytes // 256) * 256


def caches_of(step: Any) -> list[TensorInfo]:
    """The inputs that hold keys and values, and the tokens."""
    return [info for info in step.inputs if info.name.startswith(("key_", "value_", "history"))]


def _sizes(info: TensorInfo) -> list[int]:
    return [int(size) for size in info.shape[1:]]
