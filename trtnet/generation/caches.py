"""A step's calls with the caches that it writes: on the host, with numpy arrays, or on the GPU, in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from trtnet.support import dtypes
from trtnet.support.call_interface import TensorInfo

Array = np.ndarray[Any, Any]


class HostCaches:
    """Caches as numpy arrays, which each call replaces. step: a reference, an engine or a session of a Step."""

    def __init__(self, step: Any, batch: int) -> None:
        self._call = step
        self._caches: dict[str, Array] = {
            info.name: np.zeros((batch, *_sizes(info)), dtypes.get(info.dtype).numpy) for info in caches_of(step)
        }

    def __call__(self, ids: Array, held: Array, places: Array) -> tuple[Array, Callable[[], Array]]:
        """(the most likely tokens [batch, count], what gives the logits [batch, count, vocabulary])."""
        found = self._call(input_ids=ids, write_indices=held, places=places, **self._caches)
        self._caches = {name: found[f"new_{name}"] for name in self._caches}
        return found["tokens"], lambda: np.asarray(found["logits"])


class DeviceCaches:
    """Caches as torch tensors on a GPU, which the engine writes in place; each width has buffers of its own.

    step: an engine or a session of a Step. device: torch's name of the GPU.
    """

    def __init__(self, step: Any, batch: int, device: str) -> None:
        import torch

        self._torch, self._device, self._batch = torch, device, batch
        own = hasattr(step, "session")
        self._calls = {False: step.session() if own else step, True: step.session() if own else step}
        self._caches = {
            info.name: torch.zeros(batch, *_sizes(info), dtype=getattr(torch, info.dtype), device=device)
            for info in caches_of(step)
        }
        (self._vocabulary,) = (info.shape[-1] for info in step.outputs if info.name == "logits")
        self._buffers: dict[tuple[int, int], tuple[dict[str, Any], dict[str, Any]]] = {}

    def __call__(self, ids: Array, held: Array, places: Array) -> tuple[Array, Callable[[], Array]]:
        """(the most likely tokens [batch, count], what gives the logits, before the next call)."""
        length, count = ids.shape[1], places.shape[1]
        inputs, out = self._buffers_of(length, count)
        for name, array in (("input_ids", ids), ("write_indices", held), ("places", places)):
            inputs[name].copy_(self._torch.from_numpy(array))
        is_prompt = count != length
        self._calls[is_prompt](**inputs, **self._caches, out=out)
        return out["tokens"].cpu().numpy(), lambda: out["logits"].cpu().numpy()

    def _buffers_of(self, length: int, count: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """Tensors for what goes in and comes out, the same ones at each step, so that it is one CUDA graph."""
        if (length, count) not in self._buffers:
            inputs = {
                "input_ids": self._empty(length, dtype="int64"),
                "write_indices": self._empty(dtype="int32"),
                "places": self._empty(count, dtype="int64"),
            }
            results = {
                "tokens": self._empty(count, dtype="int64"),
                "logits": self._empty(count, self._vocabulary, dtype="float32"),
            }
            own = {f"new_{name}": cache for name, cache in self._caches.items()}
            if count != length:  # prompts of many lengths: the last one's are enough
                self._buffers = {key: value for key, value in self._buffers.items() if key[0] == key[1]}
            self._buffers[length, count] = inputs, {**results, **own}
        return self._buffers[length, count]

    def _empty(self, *shape: int, dtype: str) -> Any:
        return self._torch.empty(self._batch, *shape, dtype=getattr(self._torch, dtype), device=self._device)


def caches_of(step: Any) -> list[TensorInfo]:
    """The inputs that hold keys and values."""
    return [info for info in step.inputs if info.name.startswith(("key_", "value_"))]


def _sizes(info: TensorInfo) -> list[int]:
    return [int(size) for size in info.shape[1:]]
