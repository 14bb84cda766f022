"""What a PyTorch module writes to, and which of those tensors torch made while it was being called."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from trtnet.graph.structures import leaves
from trtnet.support.errors import ModelError
from trtnet.support.source import here

_OPERATORS = "add sub mul truediv div floordiv mod pow and or xor lshift rshift matmul"
WRITING = frozenset(("__setitem__", "data.__set__", *(f"__i{name}__" for name in _OPERATORS.split())))


def written_to(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Iterator[Any]:
    """The tensors that a function of torch writes to: its receiver, if it is one in place, and ``out``."""
    in_place = name.endswith("_") and not name.endswith("__") and name != "requires_grad_"
    if args and (in_place or name in WRITING):
        yield args[0]
    yield from leaves(kwargs.get("out", ()))


def memory_of(tensor: torch.Tensor) -> int:
    """The address of a tensor's memory; 0 for one that has none of its own, as those of torch.vmap."""
    try:
        return tensor.untyped_storage().data_ptr()
    except NotImplementedError:
        return 0


class Made:
    """The tensors that torch made, by their memory."""

    def __init__(self) -> None:
        self._sharing: dict[int, list[weakref.ref[torch.Tensor]]] = {}

    def note(self, result: Any) -> None:
        """Notes the tensors that a function returned."""
        for tensor in result if isinstance(result, list | tuple) else (result,):
            if isinstance(tensor, torch.Tensor):
                self._sharing.setdefault(memory_of(tensor), []).append(weakref.ref(tensor))

    def check_alone(self, tensor: torch.Tensor, name: str) -> None:
        """Raises ModelError for a tensor that was there before, and for one whose memory another shares."""
        sharing = (reference() for reference in self._sharing.get(memory_of(tensor), ()))
        if tensor._is_view() or {id(other) for other in sharing if other is not None} != {id(tensor)}:
            text = "writes to a tensor of torch's own that was there before the call, or shares its memory with another"
            raise ModelError(here(f"{name} {text}: make it of a tensor of the network, as x.new_zeros(...) does"))
