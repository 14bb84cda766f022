"""Packed sequences: all positions of all sequences, and which of them there are.

torch's own keep only these, one after the other; how many that are is a value. What is computed of each position is
computed for all; the recurrent layers keep the state of a sequence that has ended.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from trtnet import ops
from trtnet.definition.torch_module.selected.selections import Caller, Selections
from trtnet.definition.torch_module.symbolic import ChosenTensor, PackedLengths, become_packed, symbolic
from trtnet.graph.structures import leaves
from trtnet.nn import weight_functions
from trtnet.support.errors import ModelError
from trtnet.support.source import here

log = logging.getLogger("trtnet.definition")

LAYERS: dict[str, Callable[..., Any]] = {
    name: getattr(weight_functions, name) for name in ("lstm", "gru", "rnn_tanh", "rnn_relu")
}
SAME = frozenset(("to", "cpu", "clone", "detach", "contiguous"))


class PackedSequences(Selections):
    """Answers functions of packed sequences."""

    def __init__(self, caller: Caller) -> None:
        super().__init__(caller)

    def rows(self, leaf: Any) -> Any:
        if not isinstance(leaf, ChosenTensor):
            return leaf
        text = "the elements of a packed sequence, of which there are as many as its lengths say: use what"
        raise ModelError(here(f"{text} pad_packed_sequence gives"))

    def concern(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
        """Whether a call packs sequences, or has packed ones."""
        packing = name in ("_pack_padded_sequence", "_pad_packed_sequence")
        return packing or any(isinstance(leaf, PackedLengths) for leaf in leaves((args, kwargs)))

    def answer(self, func: Callable[..., Any], name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """What a function gives."""
        with self.caller.network:
            if name == "_pack_padded_sequence":
                return self.pack(*args)
            if name == "_pad_packed_sequence":
                return self.pad(*args)
            if name in LAYERS and isinstance(args[0], ChosenTensor):
                return self.run(name, *args)
            return self.asked(name, args)

    def pack(self, given: Any, lengths: Any, batch_first: bool) -> tuple[Any, Any]:
        """(data, lengths). given: [batch, length, ...], or [length, batch, ...]. lengths: [batch], integer."""
        x, count = self.caller.value(given), self.caller.value(lengths)
        x = x if batch_first else x.transpose(0, 1)
        batch, length = x.shape[:2]
        there = ops.arange(length).unsqueeze(0) < count.unsqueeze(1)
        data = self.chosen(there, ops.flatten(x, 0, 1))
        return data, become_packed(torch.empty(0, device="meta"), count, (batch, length))

    def pad(self, data: Any, lengths: Any, batch_first: bool, value: float, total: Any) -> tuple[Any, Any]:
        """(padded, lengths), with as many positions as there were."""
        batch, length = lengths.sizes
        whole = ops.reshape(data.value, (batch, length, *data.value.shape[1:]))
        there = ops.reshape(data.mask, (batch, length, *(1,) * (whole.ndim - 2)))
        padded = ops.where(there, whole, value)
        if isinstance(total, int) and isinstance(length, int) and total > length:
            padded = ops.pad(padded, (0, 0) * (whole.ndim - 2) + (0, total - length), value=value)
        text = (
            "pad_packed_sequence gives all positions that were packed; torch gives as many as the longest sequence has"
        )
        log.warning("%s", here(text))
        found = padded if batch_first else padded.transpose(0, 1)
        return symbolic(found, self.caller.place), symbolic(lengths.value, self.caller.place)

    def run(self, name: str, data: ChosenTensor, lengths: PackedLengths, hx: Any, params: Any, *settings: Any) -> Any:
        """A recurrent layer over packed sequences: (data, states...)."""
        batch, length = lengths.sizes
        x = ops.reshape(data.value, (batch, length, *data.value.shape[1:]))
        there = ops.reshape(data.mask, (batch, length, 1)).transpose(0, 1)
        _, state, weights = self.caller.entered(name, (symbolic(x, self.caller.place), hx, params), {x.dtype})
        output, *states = LAYERS[name](x, state, weights, *settings, True, there)
        return self._like(data, ops.flatten(output, 0, 1)), *(symbolic(each, self.caller.place) for each in states)

    def asked(self, name: str, args: Sequence[Any]) -> Any:
        """What torch's own code asks of batch_sizes: how many sequences there are, and positions."""
        lengths = args[0]
        if isinstance(lengths, PackedLengths):
            if name == "__getitem__" and args[1] == 0:
                return lengths.sizes[0]
            if name == "size" and tuple(args[1:]) in ((0,), (-1,)):
                return lengths.sizes[1]
            if name in SAME:
                return lengths
        raise ModelError(here(f"{name} of the batch_sizes of a packed sequence, which has its lengths in their place"))
