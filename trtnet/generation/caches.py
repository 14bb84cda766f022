"""A step's calls with the caches that it writes: on the host, with numpy arrays, or on the GPU, in place."""

from __future__ import annotations

from typing import Any

import numpy as np

from trtnet.generation.step import caches_of
from trtnet.runtime.streams.host_states import HostStates
from trtnet.runtime.streams.torch_states import TorchStates

Array = np.ndarray[Any, Any]
CALLED = "input_ids", "write_indices", "places"
"""The inputs that each call gives."""


class HostCaches:
    """Caches as numpy arrays, which each call replaces.

    step, prompts: a reference, an engine or a session of a Step, for single tokens and for several.
    """

    def __init__(self, step: Any, prompts: Any, batch: int) -> None:
        self.batch, self._calls, self._states = batch, (step, prompts), HostStates(step, batch)
        self._controls: dict[str, Array] = {}

    def begin(self, controls: dict[str, Array]) -> None:
        """Other sequences come next, in empty caches. controls: inputs that stay the same for them."""
        self._controls = controls
        self._states.reset(range(self.batch))

    def __call__(self, ids: Array, at: Array, places: Array) -> Array:
        """The tokens [batch, count] that come next at some places [batch, count] of tokens.

        ids: [batch, length], the tokens. at: [batch], where in the caches they begin.
        """
        given = self._controls | dict(zip(CALLED, (ids, at, places), strict=True))
        return np.asarray(self._states.carry(self._calls[ids.shape[1] > 1], given)["tokens"])

    def next(self, ids: Array, at: Array) -> Array:
        """The tokens [batch, 1] after one more token of each sequence."""
        return self(ids, at, np.zeros_like(ids))


class DeviceCaches:
    """Caches as torch tensors on a GPU, which the engine writes in place; each width has buffers of its own.

    step, prompts: an engine or a session of a Step, for single tokens and for several. device: torch's name of the GPU.
    """

    def __init__(self, step: Any, prompts: Any, batch: int, device: str) -> None:
        import torch

        self.batch, self._torch, self._device = batch, torch, device
        self._calls = [call.session() if hasattr(call, "session") else call for call in (step, prompts)]
        self._states = TorchStates(step, batch, device)
        self._capacity = int(caches_of(step)[0].shape[2])
        others = {*CALLED, *(state.input for state in step.states)}
        self._controls = {i.name: self._zeros(i.dtype, *i.shape[1:]) for i in step.inputs if i.name not in others}
        on_gpu = device.startswith("cuda")
        self._tokens = torch.empty(batch, 1, dtype=torch.int64, pin_memory=on_gpu)
        cuda: Any = torch.cuda
        self._arrived = cuda.Event() if on_gpu else None
        self._is_ahead = False
        self._buffers: dict[tuple[int, int], tuple[dict[str, Any], Any]] = {}

    def begin(self, controls: dict[str, Array]) -> None:
        """Other sequences come next, in empty caches. controls: inputs that stay the same for them."""
        self._is_ahead = False
        self._send(self._controls, controls)
        self._states.reset()  # a NaN that another sequence left would be of all: 0 * NaN

    def __call__(self, ids: Array, at: Array, places: Array) -> Array:
        """As that of HostCaches."""
        given, tokens = self._buffers_of(ids.shape[1], places.shape[1])
        self._is_ahead = False
        self._send(given, dict(zip(CALLED, (ids, at, places), strict=True)))
        self._run(given, tokens)
        return np.asarray(tokens.cpu().numpy())

    def next(self, ids: Array, at: Array) -> Array:
        """The tokens [batch, 1] after one more token of each sequence: those of the call before.

        The step after it is queued before its tokens are read, so that the GPU does not wait for the host. What that
        step writes for sequences that have ended is overwritten before it is read.
        """
        given, tokens = self._buffers_of(1, 1)
        if not self._is_ahead:
            self._send(given, {"input_ids": ids, "write_indices": at})
            self._run(given, tokens)
        self._tokens.copy_(tokens, non_blocking=True)
        if self._arrived is not None:
            self._arrived.record(self._torch.cuda.current_stream(self._device))
        given["input_ids"].copy_(tokens)
        given["write_indices"].add_(1).clamp_(max=self._capacity - 1)
        self._run(given, tokens)
        self._is_ahead = True
        if self._arrived is not None:
            self._arrived.synchronize()
        return self._tokens.numpy().copy()

    def _run(self, given: dict[str, Any], tokens: Any) -> None:
        call = self._calls[given["input_ids"].shape[1] > 1]
        self._states.carry(call, given | self._controls, {"tokens": tokens})

    def _send(self, tensors: dict[str, Any], arrays: dict[str, Array]) -> None:
        for name, array in arrays.items():
            tensors[name].copy_(self._torch.from_numpy(array))

    def _zeros(self, dtype: str, *sizes: Any) -> Any:
        return self._torch.zeros(self.batch, *sizes, dtype=getattr(self._torch, dtype), device=self._device)

    def _buffers_of(self, length: int, count: int) -> tuple[dict[str, Any], Any]:
        """What goes in, and the tokens: the same tensors for a width, so that its step is one CUDA graph."""
        if (length, count) not in self._buffers:
            made = self._zeros("int64", length), self._zeros("int32"), self._zeros("int64", count)
            self._buffers[length, count] = dict(zip(CALLED, made, strict=True)), self._zeros("int64", count)
        return self._buffers[length, count]
