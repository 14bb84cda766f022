"""A step's calls with the caches that it writes: on the host, with numpy arrays, or on the GPU, in place."""

from __future__ import annotations

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
        self.batch = batch
        self._calls, self._states = (step, prompts), step.states
        self._infos = caches_of(step)
        self._held: dict[str, Any] = {}

    def begin(self, controls: dict[str, Array]) -> None:
        """Other sequences come next, in empty caches. controls: inputs that stay the same for them."""
        shapes = {info: (self.batch, *map(int, info.shape[1:])) for info in self._infos}
        empty = {info.name: np.zeros(shape, dtypes.get(info.dtype).numpy) for info, shape in shapes.items()}
        self._held = controls | empty

    def __call__(self, ids: Array, at: Array, places: Array) -> Array:
        """The tokens [batch, count] that come next at some places [batch, count] of tokens.

        ids: [batch, length], the tokens. at: [batch], where in the caches they begin.
        """
        found = self._calls[ids.shape[1] > 1](input_ids=ids, write_indices=at, places=places, **self._held)
        self._held |= {state.input: found[state.output] for state in self._states}
        return np.asarray(found["tokens"])

    def next(self, ids: Array, at: Array) -> Array:
        """The tokens [batch, 1] after one more token of each sequence."""
        return self(ids, at, np.zeros_like(ids))


class DeviceCaches:
    """Caches as torch tensors on a GPU, which the engine writes in place; each width has buffers of its own.

    Those in 8 bits, which no engine writes in place, are in two buffers that take turns.
    step, prompts: an engine or a session of a Step, for single tokens and for several. device: torch's name of the GPU.
    """

    def __init__(self, step: Any, prompts: Any, batch: int, device: str) -> None:
        import torch

        self.batch, self._torch, self._device = batch, torch, device
        self._calls = [call.session() if hasattr(call, "session") else call for call in (step, prompts)]
        self._states, infos = step.states, caches_of(step)
        self._capacity = int(infos[0].shape[2])
        held = [info for info in step.inputs if info.name not in CALLED]
        narrow = [info for info in infos if dtypes.get(info.dtype).bits < 16]
        self._held, self._others = (
            {info.name: self._zeros(info.dtype, *info.shape[1:]) for info in each} for each in (held, narrow)
        )
        on_gpu = device.startswith("cuda")
        self._tokens = torch.empty(batch, 1, dtype=torch.int64, pin_memory=on_gpu)
        cuda: Any = torch.cuda
        self._arrived = cuda.Event() if on_gpu else None
        self._is_ahead = False
        self._buffers: dict[tuple[int, int], tuple[dict[str, Any], Any]] = {}

    def begin(self, controls: dict[str, Array]) -> None:
        """Other sequences come next, in empty caches. controls: inputs that stay the same for them."""
        self._is_ahead = False
        self._send(self._held, controls)
        for state in self._states:
            self._held[state.input].zero_()  # a NaN that another sequence left would be of all: 0 * NaN

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
        before, after = self._held, self._held | self._others
        written = {state.output: after[state.input] for state in self._states}
        self._calls[given["input_ids"].shape[1] > 1](**given, **before, out={"tokens": tokens, **written})
        self._held, self._others = after, {name: before[name] for name in self._others}

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


def caches_of(step: Any) -> list[TensorInfo]:
    """The inputs that hold keys and values, and the tokens: the step's states."""
    inputs = {info.name: info for info in step.inputs}
    return [inputs[state.input] for state in step.states]
