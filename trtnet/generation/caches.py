"""A step's calls with the caches that it writes: on the host, with numpy arrays, or on the GPU, in place."""

from __future__ import annotations

from collections.abc import Sequence
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
            info.name: np.empty((batch, *_sizes(info)), dtypes.get(info.dtype).numpy) for info in caches_of(step)
        }
        self._controls: dict[str, Array] = {}

    def begin(self, controls: dict[str, Array]) -> None:
        """Other sequences come next, in empty caches. controls: inputs that stay the same for them."""
        self._controls = controls
        self._caches = {name: np.zeros_like(cache) for name, cache in self._caches.items()}

    def __call__(self, ids: Array, held: Array, places: Array) -> Array:
        """The tokens that are chosen next, [batch, count]."""
        called = {"input_ids": ids, "write_indices": held, "places": places}
        found = self._calls[ids.shape[1] > 1](**called, **self._controls, **self._caches)
        self._caches = {state.input: found[state.output] for state in self._calls[False].states}
        return np.asarray(found["tokens"])

    def next(self, ids: Array, held: Array) -> Array:
        """The tokens [batch, 1] after one more token of each sequence."""
        return self(ids, held, np.zeros_like(ids))


class DeviceCaches:
    """Caches as torch tensors on a GPU, which the engine writes in place; each width has buffers of its own.

    Those in 8 bits, which no engine writes in place, are in two buffers that take turns.
    step, prompts: an engine or a session of a Step, for single tokens and for several. device: torch's name of the GPU.
    """

    def __init__(self, step: Any, prompts: Any, batch: int, device: str) -> None:
        import torch

        self._torch, self._device, self._batch = torch, device, batch
        calls = {False: step, True: prompts}
        self._calls = {key: call.session() if hasattr(call, "session") else call for key, call in calls.items()}
        self._states = step.states
        self._caches = {info.name: self._zeros(info) for info in caches_of(step)}
        narrow = [info for info in caches_of(step) if dtypes.get(info.dtype).bits < 16]
        self._others = {info.name: self._zeros(info) for info in narrow}
        self._controls = {
            info.name: self._zeros(info) for info in step.inputs if info.name not in {*self._caches, *CALLED}
        }
        self._capacity = int(caches_of(step)[0].shape[2])
        on_gpu = device.startswith("cuda")
        self._tokens = torch.empty(batch, 1, dtype=torch.int64, pin_memory=on_gpu)
        cuda: Any = torch.cuda
        self._arrived = cuda.Event() if on_gpu else None
        self._is_ahead = False
        self._buffers: dict[tuple[int, int], tuple[dict[str, Any], dict[str, Any]]] = {}

    def begin(self, controls: dict[str, Array]) -> None:
        """Other sequences come next, in empty caches. controls: inputs that stay the same for them."""
        self._send(self._controls, controls)
        for cache in self._caches.values():
            cache.zero_()  # a NaN that another sequence left would be of all: 0 * NaN

    def __call__(self, ids: Array, held: Array, places: Array) -> Array:
        """The tokens that are chosen next, [batch, count]."""
        length, count = ids.shape[1], places.shape[1]
        given, out = self._buffers_of(length, count)
        self._is_ahead = False
        self._send(given, {"input_ids": ids, "write_indices": held, "places": places})
        self._run(length > 1, given, out)
        return np.asarray(out["tokens"].cpu().numpy())

    def next(self, ids: Array, held: Array) -> Array:
        """The tokens [batch, 1] after one more token of each sequence: those of the call before.

        The step after it is queued before its tokens are read, so that the GPU does not wait for the host. What that
        step writes for sequences that have ended is overwritten before it is read.
        """
        given, out = self._buffers_of(1, 1)
        if not self._is_ahead:
            self._send(given, {"input_ids": ids, "write_indices": held})
            self._run(False, given, out)
        self._tokens.copy_(out["tokens"], non_blocking=True)
        if self._arrived is not None:
            self._arrived.record(self._torch.cuda.current_stream(self._device))
        given["input_ids"].copy_(out["tokens"])
        given["write_indices"].add_(1).clamp_(max=self._capacity - 1)
        self._run(False, given, out)
        self._is_ahead = True
        if self._arrived is not None:
            self._arrived.synchronize()
        return self._tokens.numpy().copy()

    def _run(self, are_several: bool, given: dict[str, Any], out: dict[str, Any]) -> None:
        before, after = self._caches, self._caches | self._others
        own = {state.output: after[state.input] for state in self._states}
        self._calls[are_several](**given, **self._controls, **before, out=out | own)
        self._caches, self._others = after, {name: before[name] for name in self._others}

    def _send(self, tensors: dict[str, Any], arrays: dict[str, Array]) -> None:
        for name, array in arrays.items():
            tensors[name].copy_(self._torch.from_numpy(array))

    def _zeros(self, info: TensorInfo) -> Any:
        return self._new(_sizes(info), info.dtype)

    def _new(self, sizes: Sequence[int], dtype: str) -> Any:
        return self._torch.zeros(self._batch, *sizes, dtype=getattr(self._torch, dtype), device=self._device)

    def _buffers_of(self, length: int, count: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """Tensors for what goes in and comes out, the same ones at each step, so that it is one CUDA graph."""
        if (length, count) not in self._buffers:
            if count != length:  # prompts of many lengths: the last one's are enough
                self._buffers = {key: value for key, value in self._buffers.items() if key[0] == key[1]}
            sizes = dict(zip(CALLED, ((length,), (), (count,)), strict=True))
            given = {name: self._new(each, "int64" if each else "int32") for name, each in sizes.items()}
            self._buffers[length, count] = given, {"tokens": self._new((count,), "int64")}
        return self._buffers[length, count]


def caches_of(step: Any) -> list[TensorInfo]:
    """The inputs that hold keys and values, and the tokens: the step's states."""
    inputs = {info.name: info for info in step.inputs}
    return [inputs[state.input] for state in step.states]


def _sizes(info: TensorInfo) -> list[int]:
    return [int(size) for size in info.shape[1:]]
