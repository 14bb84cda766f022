"""The states of streams as torch tensors on a GPU, which engines write in place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trtnet.runtime.execution.states import sized
from trtnet.support import dtypes


class TorchStates:
    """States that several engines of the same ones may share.

    Those in 8 bits, which no engine writes in place, are in two buffers that take turns.
    engine: one of them, or its reference. count: how many streams. device: torch's name of the GPU.
    """

    def __init__(self, engine: Any, count: int, device: str) -> None:
        import torch

        inputs = {info.name: info for info in engine.inputs}
        self._infos = engine.states
        shapes = {state.input: sized(inputs[state.input], state, count) for state in self._infos}
        narrow = [name for name in shapes if dtypes.get(inputs[name].dtype).bits < 16]
        self._values, self._others = (
            {name: torch.zeros(shapes[name], dtype=getattr(torch, inputs[name].dtype), device=device) for name in names}
            for names in (shapes, narrow)
        )

    def reset(self) -> None:
        """Sets the states of all streams to zero."""
        for value in self._values.values():
            value.zero_()

    def carry(self, call: Any, given: Mapping[str, Any], out: Mapping[str, Any]) -> None:
        """A call that goes on from the states, and writes them. out: where its other results go."""
        before, after = self._values, self._values | self._others
        written = {state.output: after[state.input] for state in self._infos}
        call(**given, **before, out={**out, **written})
        self._values, self._others = after, {name: before[name] for name in self._others}
