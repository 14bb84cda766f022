"""Tensors that are the same for every sample: their values are known, though how many samples there are is not.

``positions.expand(batch, -1)`` of a table repeats it. What a module asks of such a tensor, torch answers by the table:
``if (mask == 0).all()``. In the network it is what it is otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from trtnet.definition.torch_module.symbolic import SymbolicTensor
from trtnet.graph import Dim, Real, Tensor
from trtnet.graph.structures import leaves, mapped

_POINTWISE = """
__add__ __radd__ __sub__ __rsub__ __mul__ __rmul__ __eq__ __ne__ __lt__ __le__ __gt__ __ge__ __and__ __or__ __xor__
__invert__ __neg__ add sub mul eq ne lt le gt ge neg abs where masked_fill clamp logical_and logical_or logical_not
logical_xor bitwise_and bitwise_or bitwise_not to bool int long float clone detach contiguous
"""
POINTWISE = frozenset(_POINTWISE.split())
REPEATING = frozenset(("expand", "repeat", "broadcast_to"))
PLACING = frozenset(("__getitem__", "unsqueeze", "all", "any"))
"""Where something is, and whether it is anywhere: of equal samples that does not depend on how many there are."""
ALONG = {"cumsum": 1, "diff": 2}
"""Functions along one axis: the place of its number among the arguments."""
ASKING = frozenset(("__bool__", "__int__", "__float__", "__index__", "item"))


def answer(name: str, args: Sequence[Any]) -> Any:
    """The value that a function asks for; None if it asks for none, or it is not known."""
    return getattr(table(args[0]), name)() if name in ASKING and table(args[0]) is not None else None


def table(tensor: Any) -> torch.Tensor | None:
    """The values of a tensor with one sample in place of many; None if they are not known, or were written to."""
    if not isinstance(tensor, SymbolicTensor) or tensor.table is None:
        return None
    values, version = tensor.table
    return values if tensor.value.storage.version == version else None


def note(result: Any, func: Any, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Computes the values of what a function returned, if those of all that it was given are known."""
    if not isinstance(result, SymbolicTensor) or not _keeps_samples(name, args, kwargs):
        return
    given = [leaf for leaf in leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    if any(isinstance(x, SymbolicTensor) and table(x) is None for x in given):
        return
    try:
        found = func(*mapped(tuple(args), _once), **mapped(dict(kwargs), _once))
    except (IndexError, RuntimeError):  # torch says no where there are many samples and the place is beyond the first
        return
    if _is_of_one_sample(found.shape, result.value):
        result.table = found, result.value.storage.version


def _keeps_samples(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether a function gives equal samples for equal samples, whatever their number."""
    if name in REPEATING:
        return True
    if any(isinstance(leaf, Dim | Real) for leaf in leaves((args, kwargs))):
        return False
    if name in ALONG and isinstance(args[0], SymbolicTensor):
        axis = kwargs.get("dim", args[ALONG[name]] if len(args) > ALONG[name] else -1)
        return isinstance(args[0].shape[axis], int)
    return name in POINTWISE or name in PLACING


def _once(leaf: Any) -> Any:
    if isinstance(leaf, SymbolicTensor):
        return table(leaf)
    return 1 if isinstance(leaf, Dim) else leaf


def _is_of_one_sample(shape: torch.Size, value: Tensor) -> bool:
    pairs = zip(shape, value.shape, strict=True) if len(shape) == value.ndim else [(0, -1)]
    return all(size == 1 if isinstance(whole, Dim) else size == whole for size, whole in pairs)
