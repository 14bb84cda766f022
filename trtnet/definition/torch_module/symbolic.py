"""The tensors that a PyTorch module is called with: torch tensors to whoever asks, values of a network to trtnet."""

from __future__ import annotations

from typing import Any

import torch
from torch._subclasses import FakeTensor

from trtnet.graph import Dim, Real, Tensor
from trtnet.graph.sizes.shape import SymbolicSize
from trtnet.graph.structures import leaves

SIZE, FAKE = torch.Size, FakeTensor
"""torch's own, which are exchanged while a module is being called."""


class Placeholder(torch.Tensor):
    """A torch tensor without values.

    value: the tensor of the network that it stands for. place: the module's device.
    """

    value: Tensor
    place: torch.device
    instead_of_ops = (
        "a PyTorch module calls torch's functions; to use others, make it a member of a trtnet Module that calls"
        " them: self.part = trtnet.TorchModule(module)"
    )
    layout, is_cuda, is_cpu = torch.strided, False, True

    @property
    def shape(self) -> Any:  # type: ignore[override]
        """torch's, unless the network has sizes that are known only at run time."""
        shape: Any = self.value.shape
        return SymbolicSize(shape) if self.value.network.dims or is_symbolic(shape) else SIZE(shape)

    def size(self, dim: int | None = None) -> Any:
        """The shape, or one size of it."""
        return self.shape if dim is None else self.shape[dim]

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return self.place

    def type(self, dtype: Any = None, non_blocking: bool = False) -> Any:
        """torch's older name of the type, "torch.FloatTensor"; the tensor in a dtype, or in a type of such a name."""
        if dtype is None:
            name: str = torch.empty(0, dtype=self.dtype).type()
            return name.replace("torch.", "torch.cuda.") if self.place.type == "cuda" else name
        kind = getattr(torch, dtype.rpartition(".")[-1]) if isinstance(dtype, str) else dtype
        return self.to(kind if isinstance(kind, torch.dtype) else kind.dtype)

    def get_device(self) -> int:
        return -1 if self.place.type == "cpu" else self.place.index or 0


class SymbolicTensor(Placeholder):
    """One of real values. What is not here, it answers as the tensor of the network does. table: see ``repeated``."""

    table: tuple[torch.Tensor, int] | None = None

    @property
    def dtype(self) -> torch.dtype:  # type: ignore[override]
        found: torch.dtype = getattr(torch, self.value.dtype.name)
        return found

    def __repr__(self) -> str:  # type: ignore[override]
        return repr(self.value)

    def __format__(self, _: str) -> str:
        return repr(self.value)


class ComplexTensor(Placeholder):
    """One of complex values: `value` and `imaginary` are two tensors of the network, of one shape and dtype.

    whole: where it is torch.view_as_complex of a tensor, that: [..., 2]. copies: what torch.view_as_real gave of
    others, and how often these had been written to; see ``complex_numbers``.
    """

    imaginary: Tensor
    whole: Tensor | None = None
    copies: list[tuple[Tensor, int]]

    @property
    def dtype(self) -> torch.dtype:  # type: ignore[override]
        return torch.complex32 if self.value.dtype.name == "float16" else torch.complex64

    def __repr__(self) -> str:  # type: ignore[override]
        return f"ComplexTensor({self.value!r}, {self.imaginary!r})"

    def __format__(self, _: str) -> str:
        return repr(self)


class ChosenTensor(Placeholder):
    """Rows that a mask chooses of those in `value`, which has one for each element of the mask; see ``selections``.

    key: what is the same of two masks that choose the same. axis: of places along an axis at which the mask is
    true, that axis. maker: what takes the rows themselves.
    """

    mask: Tensor
    key: Any
    axis: int | None
    maker: Any

    @property
    def shape(self) -> Any:  # type: ignore[override]
        """Of the rows themselves."""
        return self.maker.rows(self).shape

    @property
    def dtype(self) -> torch.dtype:  # type: ignore[override]
        found: torch.dtype = getattr(torch, self.value.dtype.name)
        return found

    def is_like(self, other: ChosenTensor) -> bool:
        """Whether one mask chose both."""
        found: bool = self.key == other.key
        return found

    def __repr__(self) -> str:  # type: ignore[override]
        return f"ChosenTensor({self.value!r}, by {self.mask!r})"

    def __format__(self, _: str) -> str:
        return repr(self)


class PackedLengths(Placeholder):
    """The lengths of packed sequences, in the place of torch's batch_sizes. sizes: how many sequences and positions."""

    sizes: tuple[Any, Any]

    @property
    def shape(self) -> Any:  # type: ignore[override]
        return SymbolicSize(self.sizes[1:]) if is_symbolic(self.sizes[1:]) else SIZE(self.sizes[1:])

    @property
    def dtype(self) -> torch.dtype:  # type: ignore[override]
        return torch.int64

    def __repr__(self) -> str:  # type: ignore[override]
        return f"PackedLengths({self.value!r})"


class _OfEither(type):
    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, SIZE | SymbolicSize)


class AnySize(metaclass=_OfEither):
    """torch.Size while a network is being defined: of sizes of the network, a SymbolicSize."""

    def __new__(cls, sizes: Any = ()) -> Any:
        """The shape of some sizes."""
        given = tuple(sizes)
        return SymbolicSize(given) if is_symbolic(given) else SIZE(given)


class _HasNoValues(type):
    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, FAKE) or (isinstance(value, SymbolicTensor) and value.table is None)


class AnyFake(metaclass=_HasNoValues):
    """torch's FakeTensor while a network is being defined: libraries ask for it before they ask a tensor for values."""


def symbolic(value: Tensor, place: torch.device) -> SymbolicTensor:
    """A tensor of the network as a torch tensor on the module's device; torch's own part of it has no memory."""
    return become_symbolic(torch.empty(0, device="meta"), value, place)


def become_symbolic(tensor: torch.Tensor, value: Tensor, place: torch.device) -> SymbolicTensor:
    """A torch tensor, from now on a tensor of the network to all who hold it."""
    made: Any = tensor
    made.__class__ = SymbolicTensor
    made.value, made.place = value, place
    return made


def become_complex(tensor: torch.Tensor, real: Tensor, imaginary: Tensor, place: torch.device) -> ComplexTensor:
    """A torch tensor, from now on a complex one of the network to all who hold it."""
    made: Any = tensor
    made.__class__ = ComplexTensor
    made.value, made.imaginary, made.place, made.copies = real, imaginary, place, []
    return made


def become_chosen(tensor: torch.Tensor, value: Tensor, mask: Tensor, axis: int | None, maker: Any) -> ChosenTensor:
    """A torch tensor, from now on rows that a mask chooses to all who hold it."""
    made: Any = tensor
    made.__class__ = ChosenTensor
    made.value, made.mask, made.axis, made.maker, made.place = value, mask.fresh(), axis, maker, maker.caller.place
    made.key = maker.key(mask)
    return made


def become_packed(tensor: torch.Tensor, lengths: Tensor, sizes: tuple[Any, Any]) -> PackedLengths:
    """A torch tensor, from now on the lengths of packed sequences."""
    made: Any = tensor
    made.__class__ = PackedLengths
    made.value, made.sizes, made.place = lengths, sizes, torch.device("cpu")  # torch asks that of batch_sizes
    return made


def is_symbolic(value: Any) -> bool:
    """Whether a value, or something in a structure of values, is known only when the engine runs."""
    return any(isinstance(leaf, Placeholder | Dim | Real) for leaf in leaves(value))
