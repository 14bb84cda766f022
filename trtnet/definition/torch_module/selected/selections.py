"""What a mask chooses, ``x[mask]`` and ``torch.where(mask)``, computed for all: how many it chooses is a value.

Of a tensor with a row for each element of the mask, those count for which it is true. What is computed row by row is
computed for all of them; what is written back, added or summed leaves out the others. Anything else takes the rows
themselves, which TensorRT-RTX has no kernels for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

import torch

from trtnet import ops
from trtnet.definition.torch_module.selected.chosen_rows import keeps_rows, places, reduced, rows_of, selected
from trtnet.definition.torch_module.symbolic import ChosenTensor, SymbolicTensor, become_chosen, symbolic
from trtnet.definition.torch_module.writes import written_to
from trtnet.graph import Network, Tensor
from trtnet.graph.structures import leaves, mapped
from trtnet.support.dtypes import DType

_COMPARING = """
__lt__ __le__ __gt__ __ge__ __eq__ __ne__ __invert__ __and__ __or__ lt le gt ge eq ne logical_not logical_and logical_or
bool isnan isinf isfinite
"""
COMPARING = frozenset(_COMPARING.split())
IN_PLACE = {"__iadd__": "add", "__isub__": "sub", "__imul__": "mul", "__itruediv__": "div"}


class Caller(Protocol):
    """What answers functions of whole tensors."""

    network: Network
    place: torch.device

    def operation(self, func: Callable[..., Any], name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any: ...

    def value(self, leaf: Any, raw: bool = False, beside: Collection[DType] = ()) -> Any: ...

    def take_over(self, target: Any, name: str) -> None: ...

    def entered(self, name: str, given: Any, beside: Collection[DType]) -> Any: ...


def _is_mask(value: Any) -> bool:
    whole = isinstance(value, SymbolicTensor) and value.table is None and value.value.ndim > 0
    return whole and value.value.dtype.name == "bool"


def _rows(leaf: Any) -> Any:
    return leaf.maker.rows(leaf) if isinstance(leaf, ChosenTensor) else leaf


class Selections:
    """Answers functions of what masks choose."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.known: dict[int, tuple[Tensor, int, Any]] = {}

    def note(self, name: str, args: Sequence[Any], result: Any) -> None:
        """Notes how a mask was computed: ``x[x > 0] = f(x[x > 0])`` computes it twice."""
        if name in COMPARING and _is_mask(result) and all(isinstance(x, SymbolicTensor | int | float) for x in args):
            key = (name, *(self.key(x.value) if isinstance(x, SymbolicTensor) else x for x in args))
            self.known[id(result.value)] = result.value, result.value.storage.version, key

    def key(self, mask: Tensor) -> Any:
        """What is the same of two masks that are: how they were computed, or which one it is and its writes."""
        tensor, version, key = self.known.setdefault(id(mask), (mask, -1, None))
        now = mask.storage.version
        return key if version == now and tensor is mask else (id(mask), now)

    def concern(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
        """Whether a call has what a mask chose, or chooses by one."""
        if name == "__getitem__" and isinstance(args[0], torch.Tensor):
            first = args[1][0] if isinstance(args[1], tuple) and args[1] else args[1]
            if _is_mask(first):
                return True
        if name in ("where", "nonzero") and len(args) == 1 and (name == "where" or kwargs.get("as_tuple")):
            return isinstance(args[0], SymbolicTensor) and args[0].value.ndim > 0 and args[0].table is None
        if name == "masked_select" and len(args) == 2 and not kwargs:
            return isinstance(args[0], SymbolicTensor) and _is_mask(args[1])
        return any(isinstance(leaf, ChosenTensor) for leaf in leaves((args, kwargs)))

    def answer(self, func: Callable[..., Any], name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """What a function gives."""
        with self.caller.network:
            found = self.found(func, name, args, kwargs)
        if found is not NotImplemented:
            return found
        for target in written_to(name, args, kwargs):
            self.caller.take_over(target, name)
        return self.caller.operation(func, name, *mapped((tuple(args), dict(kwargs)), _rows))

    def found(self, func: Callable[..., Any], name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """What it gives without taking the rows themselves; NotImplemented for one that needs these."""
        first = args[0] if args else None
        if isinstance(first, ChosenTensor) and name in ("dim", "ndim.__get__"):
            return first.value.ndim
        if isinstance(first, ChosenTensor) and name == "size" and len(args) == 2 and args[1] % first.value.ndim:
            return first.value.shape[args[1]]
        if name in ("where", "nonzero") and len(args) == 1 and isinstance(first, SymbolicTensor):
            mask = first.value if first.value.dtype.name == "bool" else ops.cast(first.value, "bool")
            return tuple(self.chosen(mask, value, axis) for axis, value in enumerate(places(mask)))
        if name == "masked_select" and isinstance(first, SymbolicTensor):
            x, mask = ops.broadcast_tensors(first.value, args[1].value)
            return self.chosen(mask, ops.flatten(x).clone())
        if name == "__getitem__":
            return self.part(first, args[1])
        if name == "__setitem__":
            return self.write(*args)
        if name in ("index_add", "index_add_"):
            return self.added(func, name, args, kwargs)
        plain = IN_PLACE.get(name) or (name[:-1] if name.endswith("_") and not name.endswith("__") else "")
        if plain and isinstance(first, ChosenTensor):
            result = self.rowwise(func, plain, args, kwargs)
            if not isinstance(result, ChosenTensor):
                return NotImplemented
            first.value = ops.cast(result.value, first.value.dtype)
            return first
        return self.rowwise(func, name, args, kwargs)

    def chosen(self, mask: Tensor, value: Tensor, axis: int | None = None) -> ChosenTensor:
        return become_chosen(torch.empty(0, device="meta"), value, mask, axis, self)

    def rows(self, leaf: Any) -> Any:
        """The rows themselves, which the mask chooses when the engine runs."""
        if not isinstance(leaf, ChosenTensor):
            return leaf
        with self.caller.network:
            return symbolic(leaf.value[ops.flatten(leaf.mask)], self.caller.place)

    def part(self, x: Any, index: Any) -> Any:
        """``x[mask]``, ``x[places]``, and a part of each row of what a mask chose before."""
        items = list(index) if isinstance(index, tuple) else [index]
        chosen = [each for each in items if isinstance(each, ChosenTensor)]
        if isinstance(x, ChosenTensor):
            return self._of_chosen(x, items)
        if any(isinstance(each, torch.Tensor) for each in items[max(len(chosen), 1) :]):
            return NotImplemented
        whole = self.caller.value(x)
        if _is_mask(items[0]):
            mask = items[0].value
            rest = whole[(*[slice(None)] * mask.ndim, *items[1:])] if items[1:] else whole
            return self.chosen(mask, rows_of(rest, mask).clone())
        if not self._are_places(items[: len(chosen)]):
            return NotImplemented
        value = whole[tuple(each.value if isinstance(each, ChosenTensor) else each for each in items)]
        return self._like(chosen[0], value)

    def _of_chosen(self, x: ChosenTensor, items: list[Any]) -> Any:
        first = items[0]
        if isinstance(first, ChosenTensor) and len(items) == 1 and first.value.dtype.name == "bool":
            if first.value.ndim > 1 or not x.is_like(first):
                return NotImplemented
            return self.chosen(ops.logical_and(x.mask, ops.reshape(first.value, x.mask.shape)), x.value)
        taken = sum(isinstance(each, slice | int) for each in items)
        whole = (isinstance(first, slice) and first == slice(None)) or (first is Ellipsis and taken < x.value.ndim)
        if not whole or any(isinstance(each, torch.Tensor) for each in items):
            return NotImplemented
        return self._like(x, x.value[tuple(items)])

    def _like(self, x: ChosenTensor, value: Tensor) -> ChosenTensor:
        made = self.chosen(x.mask, value)
        made.key, made.maker = x.key, x.maker
        return made

    def _are_places(self, items: list[Any]) -> bool:
        """Whether these are integers chosen by one mask."""
        chosen = [each for each in items if isinstance(each, ChosenTensor) and each.value.dtype.name != "bool"]
        return bool(items) and len(chosen) == len(items) and all(each.is_like(chosen[0]) for each in chosen)

    def write(self, x: Any, index: Any, value: Any) -> Any:
        """``x[mask] = value`` and ``x[places] = value``."""
        items = list(index) if isinstance(index, tuple) else [index]
        if isinstance(x, ChosenTensor):
            return NotImplemented
        self.caller.take_over(x, "__setitem__")
        if _is_mask(items[0]) and not any(isinstance(each, torch.Tensor) for each in items[1:]):
            mask = items[0].value
            part = x.value[(*[slice(None)] * mask.ndim, *items[1:])] if items[1:] else x.value
            like = not isinstance(value, ChosenTensor) or value.key == self.key(mask)
            return self._fill(part, mask, value) if like else NotImplemented
        if not self._are_places(items) or (isinstance(value, ChosenTensor) and not value.is_like(items[0])):
            return NotImplemented
        if len(items) == items[0].mask.ndim and all(each.axis == axis for axis, each in enumerate(items)):
            return self._fill(x.value, items[0].mask, value)
        if len(items) > 1 or items[0].value.ndim != 1:
            return NotImplemented
        return self._put(x.value, items[0], value)

    def _put(self, x: Tensor, places: ChosenTensor, value: Any) -> None:
        """Writes rows at places; a row behind the last takes what is not chosen."""
        beyond = ops.cat([x, x[:1]], 0)
        last = ops.arange(x.shape[0] + 1, network=x.network)[-1]
        written = value.value if isinstance(value, ChosenTensor) else self.caller.value(value)
        beyond[ops.where(ops.flatten(places.mask), places.value, last)] = written
        x.copy_(beyond[:-1])

    def _fill(self, part: Tensor, mask: Tensor, value: Any) -> Any:
        behind = part.ndim - mask.ndim
        if isinstance(value, ChosenTensor):
            if value.value.ndim != behind + 1:
                return NotImplemented
            written: Any = ops.reshape(value.value, (*mask.shape, *value.value.shape[1:]))
        else:
            written = self.caller.value(value)
            if isinstance(written, Tensor) and written.ndim > behind:
                return NotImplemented
        lifted = ops.reshape(mask, (*mask.shape, *(1,) * behind))
        part.copy_(ops.where(lifted, ops.cast(written, part.dtype), part))
        return None

    def added(self, func: Callable[..., Any], name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """index_add of rows at places: those that are not chosen add nothing."""
        if len(args) != 4 or isinstance(args[0], ChosenTensor) or args[1] != 0 or not self._are_places([args[2]]):
            return NotImplemented
        x, _, index, source = args
        if not isinstance(source, ChosenTensor) or not source.is_like(index):
            return NotImplemented
        for target in written_to(name, args, kwargs):
            self.caller.take_over(target, name)
        given = (symbolic(each, self.caller.place) for each in (index.value, selected(source, 0)))
        return self.caller.operation(func, name, (x, 0, *given), kwargs)

    def rowwise(self, func: Callable[..., Any], name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """A function that gives a row for a row; one of all rows that can leave some out."""
        given = [leaf for leaf in leaves((args, kwargs)) if isinstance(leaf, ChosenTensor)]
        if not given or not all(each.is_like(given[0]) for each in given):
            return NotImplemented
        if len(given) == 1 and args and args[0] is given[0]:
            found = reduced(name, given[0], args, kwargs)
            if found is not None:
                return symbolic(found, self.caller.place)
        if not keeps_rows(name, given, args, kwargs):
            return NotImplemented
        whole = mapped((tuple(args), dict(kwargs)), self._whole)
        result = self.caller.operation(func, name, *whole)
        return mapped(result, lambda x: self._like(given[0], x.value) if isinstance(x, SymbolicTensor) else x)

    def _whole(self, leaf: Any) -> Any:
        return symbolic(leaf.value, self.caller.place) if isinstance(leaf, ChosenTensor) else leaf
