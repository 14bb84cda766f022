"""Memory that tensors share, as torch's do: writes through views, and who sees them.

TensorRT's tensors never change. A write gives its receiver another one, and the others of its storage, which are views
of one tensor, take theirs out of it again when they are used next. No layer is added for a view that nobody writes to,
and none for a write before somebody reads what it changed. (What torch calls functionalization.)
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from trtnet.support.source import SourceLine, caller

if TYPE_CHECKING:
    from trtnet.graph.sizes.dim import Shape
    from trtnet.graph.tensors.strides import Strides
    from trtnet.graph.tensors.tensor import Tensor

_ticket = itertools.count()
ticket: Callable[[], int] = _ticket.__next__
"""A number larger than those of all storages there are."""


@dataclass(frozen=True, eq=False)
class View:
    """How a tensor is made of the one whose memory it shares.

    base: that tensor. read: the view of it. write: ``write(base, value)`` is the base with `value` in the view's place.
    key: equal for views of one base that are the same part of it. whole: every element of the base is in it. refused:
    why it takes no writes, "" if it does.
    """

    base: Tensor
    read: Callable[[Tensor], Tensor]
    write: Callable[[Tensor, Tensor], Tensor]
    key: Any
    whole: bool = False
    refused: str = ""


@dataclass(eq=False, slots=True)
class Lost:
    """The write after which it is not known what a tensor holds. source: its line; path: the module it is in."""

    path: str
    source: SourceLine | None


@dataclass(eq=False, slots=True)
class Storage:
    """The memory of a tensor and its views.

    body: of the loop or branch in which it was made, None outside of all. fixed: why nobody may write to it, "" if one
    may. version: counts writes. pending: (version, the view written to, its value) of those the first tensor has not
    seen. related: storages that may be the same memory in torch, or copies. lost: the write to one of those, if any.
    """

    body: object
    fixed: str = ""
    version: int = 0
    pending: list[tuple[int, Tensor, Tensor]] = field(default_factory=list)
    related: set[Storage] = field(default_factory=set)
    lost: Lost | None = None
    serial: int = field(default_factory=ticket)


def share(base: Tensor, part: Tensor, view: View, strides: Strides) -> Tensor:
    """`part`, just computed from `base`, as a view of it; what shares its memory already stays as it is."""
    if part.storage is not base.storage:
        part.storage, part.view_of, part.seen = base.storage, view, base.storage.version
        part.strides = strides
    return part


def relate(a: Tensor, b: Tensor) -> Tensor:
    """Notes that two tensors are one memory in torch, or not, by what is not known; returns the second."""
    if a.storage is not b.storage:
        a.storage.related.add(b.storage)
        b.storage.related.add(a.storage)
    return b


def update(x: Tensor, value: Tensor) -> None:
    """Gives `x` a value of its shape and dtype, and lets the tensors that share its memory see it.

    Raises LayerError where that cannot be.
    """
    views = chain(x)
    _check(x, views)
    storage, now = x.storage, value.fresh()
    if value.storage is storage and same_part(x, value):
        return
    storage.version += 1
    if all(view.whole for view in views):
        storage.pending.clear()
    if views:
        storage.pending.append((storage.version, x, now))
    x.value, x.seen = now.value, storage.version
    lost = Lost(x.network.path, caller())
    for other in _reachable(storage):
        other.lost = lost


def same_part(x: Tensor, y: Tensor) -> bool:
    """Whether two tensors of one storage are the same elements of it, as far as their views tell."""
    return x.shape == y.shape and [view.key for view in chain(x)] == [view.key for view in chain(y)]


def refresh(x: Tensor) -> None:
    """Gives a tensor the value it has after the writes of others to its memory."""
    storage = x.storage
    if storage.lost is not None:
        text = (
            "after this write in place it is not known what a tensor holds that is used later: whether torch's reshape,"
            " flatten and contiguous copy or share memory depends on strides that are not known here; say .view() to"
            " share, .clone() to copy"
        )
        x.network.fail(text, {"used later": x}, storage.lost.source)
    if x.seen == storage.version:
        return
    if x.view_of is not None:
        x.value = x.view_of.read(x.view_of.base).current
        x.seen = storage.version
        return
    pending, latest = storage.pending[:], storage.version
    storage.pending.clear()
    for version, view, value in pending:
        x.seen = storage.version = version - 1
        _store(view, value, version)
        storage.version = version
    x.seen = storage.version = latest


def chain(x: Tensor) -> list[View]:
    """The views from a tensor down to the one that has the memory."""
    views = []
    while x.view_of is not None:
        views.append(x.view_of)
        x = x.view_of.base
    return views


def fixed(x: Tensor, reason: str) -> Tensor:
    """`x`, to which nobody may write."""
    x.storage.fixed = reason
    return x


def _store(x: Tensor, value: Tensor, version: int) -> None:
    if x.view_of is not None:
        _store(x.view_of.base, x.view_of.write(x.view_of.base, value), version)
    x.value, x.seen = value.current, version


def _check(x: Tensor, views: list[View]) -> None:
    refused = x.storage.fixed or next((view.refused for view in views if view.refused), "")
    if refused:
        x.network.fail(f"no writing in place to {refused}; .clone() it first", {"x": x})
    if x.storage.body is not x.network.body:
        text = "a loop or a branch cannot write in place to a tensor of outside: give it as an operand, return the new"
        x.network.fail(text, {"x": x})


def _reachable(storage: Storage) -> set[Storage]:
    """The storages that may be the same memory, itself not among them."""
    found, new = {storage}, [storage]
    while new:
        for other in new.pop().related - found:
            found.add(other)
            new.append(other)
    return found - {storage}


def lazily(base: Tensor, shape: Shape, view: View) -> Tensor:
    """A view that is not read before somebody uses it."""
    x = base.fresh_handle(shape)
    x.storage, x.view_of, x.seen = base.storage, view, -1
    return x
