"""Memory that tensors share, as torch's do: writes through views, and who sees them.

TensorRT's tensors never change. A write gives its receiver another one, and the others of its storage, which are views
of one tensor, take theirs out of it again when they are used next. No layer is added for a view that nobody writes to,
and none for a write before somebody reads what it changed. (What torch calls functionalization.)
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Self, TypeAlias, TypeVar

from trtnet.graph.memory.pending import PendingLayer
from trtnet.graph.memory.strides import Strides
from trtnet.graph.place import Placing
from trtnet.graph.sizes.dim import Shape
from trtnet.support.dtypes import DType
from trtnet.support.source import SourceLine, caller

if TYPE_CHECKING:
    from trtnet.support.backend import trt

T = TypeVar("T", bound="StoredTensor")
ITensor: TypeAlias = "trt.ITensor | PendingLayer"
"""What TensorRT has of a tensor."""

_ticket = itertools.count()
ticket: Callable[[], int] = _ticket.__next__
"""A number larger than those of all storages there are."""


@dataclass(frozen=True, eq=False)
class View(Generic[T]):
    """How a tensor is made of the one whose memory it shares.

    base: that tensor. read: the view of it. write: ``write(base, value)`` is the base with `value` in the view's place.
    key: equal for views of one base that are the same part of it. whole: every element of the base is in it. refused:
    why it takes no writes, "" if it does.
    """

    base: T
    read: Callable[[T], T]
    write: Callable[[T, T], T]
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
    pending: list[tuple[int, StoredTensor, StoredTensor]] = field(default_factory=list)
    related: set[Storage] = field(default_factory=set)
    lost: Lost | None = None
    serial: int = field(default_factory=ticket)


class StoredTensor:
    """A value of a network: TensorRT's ITensor, and the memory that torch would have for it.

    view_of: what it is of the tensor whose memory it shares, None if the memory is its own. strides: as torch's, as far
    as they are known. seen: the version of the storage that its value is of.
    """

    __slots__ = ("__weakref__", "dtype", "network", "seen", "shape", "storage", "strides", "value", "view_of")

    network: Placing
    value: ITensor
    dtype: DType
    shape: Shape
    storage: Storage
    view_of: View[Self] | None
    strides: Strides
    seen: int

    @property
    def trt(self) -> trt.ITensor:
        """TensorRT's tensor of its value after all writes to its memory, to be read by a layer or an output.

        Raises LayerError if that is not known.
        """
        value = self.current
        return value.use() if isinstance(value, PendingLayer) else value

    @property
    def current(self) -> ITensor:
        """The same, without reading it: the layer that makes it may be pending. Raises LayerError as `trt`."""
        if self.seen != self.storage.version or self.storage.lost is not None:
            refresh(self)
        return self.value if isinstance(self.value, PendingLayer) else self.network.replaced.get(self.value, self.value)

    @property
    def merged_into(self) -> str | None:
        """The path of the module that took the layer which would make it; None if it is in the network."""
        value = self.current
        return value.path if isinstance(value, PendingLayer) and value.taken is not None else None

    def fresh(self) -> Self:
        """A tensor of its value now, with memory of its own. No layer."""
        other = self.fresh_handle(self.shape)
        other.value, other.strides = self.current, self.strides
        return other

    def fresh_handle(self, shape: Shape) -> Self:
        """A tensor of its network and dtype, with memory of its own and its value for now."""
        other = object.__new__(type(self))
        other.network, other.dtype, other.shape, other.value = self.network, self.dtype, shape, self.value
        other.storage, other.view_of, other.strides, other.seen = Storage(self.network.body), None, None, 0
        return other

    @property
    def name(self) -> str:
        """Its name in the network, unique."""
        return str(self.current.name)

    @property
    def ndim(self) -> int:
        return len(self.shape)


def share(base: T, part: T, view: View[T], strides: Strides) -> T:
    """`part`, just computed from `base`, as a view of it; what shares its memory already stays as it is."""
    if part.storage is not base.storage:
        part.storage, part.view_of, part.seen = base.storage, view, base.storage.version
        part.strides = strides
    return part


def relate(a: StoredTensor, b: T) -> T:
    """Notes that two tensors are one memory in torch, or not, by what is not known; returns the second."""
    if a.storage is not b.storage:
        a.storage.related.add(b.storage)
        b.storage.related.add(a.storage)
    return b


def update(x: StoredTensor, value: StoredTensor) -> None:
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


def same_part(x: StoredTensor, y: StoredTensor) -> bool:
    """Whether two tensors of one storage are the same elements of it, as far as their views tell."""
    return x.shape == y.shape and [view.key for view in chain(x)] == [view.key for view in chain(y)]


def refresh(x: StoredTensor) -> None:
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


def chain(x: StoredTensor) -> list[View[Any]]:
    """The views from a tensor down to the one that has the memory."""
    views = []
    while x.view_of is not None:
        views.append(x.view_of)
        x = x.view_of.base
    return views


def fixed(x: T, reason: str) -> T:
    """`x`, to which nobody may write."""
    x.storage.fixed = reason
    return x


def _store(x: StoredTensor, value: StoredTensor, version: int) -> None:
    if x.view_of is not None:
        _store(x.view_of.base, x.view_of.write(x.view_of.base, value), version)
    x.value, x.seen = value.current, version


def _check(x: StoredTensor, views: list[View[Any]]) -> None:
    refused = x.storage.fixed or next((view.refused for view in views if view.refused), "")
    if refused:
        x.network.fail(f"cannot write in place to {refused}; .clone() it first", {"x": x})
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


def lazily(base: T, shape: Shape, view: View[T]) -> T:
    """A view that is not read before somebody uses it."""
    x = base.fresh_handle(shape)
    x.storage, x.view_of, x.seen = base.storage, view, -1
    return x
