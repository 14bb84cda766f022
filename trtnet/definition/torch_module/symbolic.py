"""The tensors that a PyTorch module is called with: torch tensors to whoever asks, values of a network to trtnet."""

from __future__ import annotations

from typing import Any

import torch
from torch._subclasses import FakeTensor

from trtnet.graph import Dim, Real, Size, Tensor
from trtnet.graph.sizes.dim import numel
from trtnet.graph.structures import leaves

TORCHS = torch.Size
"""torch's own, which is exchanged while a module is being called."""


class Shape(tuple[Any, ...]):
    """A shape with sizes that may be known only at run time, with torch.Size's methods."""

    __slots__ = ()

    def numel(self) -> Size:
        """The number of elements."""
        return numel(tuple(self))

    def __getitem__(self, place: Any) -> Any:
        found = tuple.__getitem__(self, place)
        return Shape(found) if isinstance(place, slice) else found

    def __add__(self, other: Any) -> Any:
        return Shape((*self, *other))

    def __radd__(self, other: Any) -> Any:
        return Shape((*other, *self))


class _OfEither(type):
    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, TORCHS | Shape)


class AnySize(metaclass=_OfEither):
    """torch.Size while a network is being defined: of sizes of the network, a Shape."""

    def __new__(cls, sizes: Any = ()) -> Any:
        """The shape of some sizes."""
        given = tuple(sizes)
        return Shape(given) if is_symbolic(given) else TORCHS(given)


class SymbolicTensor(torch.Tensor):
    """A torch tensor without values.

    value: the tensor of the network that it stands for. place: the module's device. table: see ``repeated``.
    """

    value: Tensor
    place: torch.device
    instead_of_ops = (
        "a PyTorch module calls torch's functions; what torch has not, a trtnet Module calls of which this module is a"
        " member: self.part = trtnet.TorchModule(module)"
    )
    table: tuple[torch.Tensor, int] | None = None

    @property
    def shape(self) -> Any:  # type: ignore[override]
        return shape_of(self.value)

    @property
    def dtype(self) -> torch.dtype:  # type: ignore[override]
        return torch_dtype(self.value)

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return self.place

    @property
    def ndim(self) -> int:  # type: ignore[override]
        return self.value.ndim

    is_nested = is_sparse = is_quantized = is_cuda = is_mps = requires_grad = False
    is_leaf = True
    layout = torch.strided
    grad = grad_fn = None

    def __repr__(self) -> str:  # type: ignore[override]
        return repr(self.value)

    def __format__(self, _: str) -> str:
        return repr(self.value)


FAKE = FakeTensor


class _HasNoValues(type):
    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, FAKE) or (isinstance(value, SymbolicTensor) and value.table is None)


class AnyFake(metaclass=_HasNoValues):
    """torch's FakeTensor while a network is being defined: libraries ask for it before they ask a tensor for values."""


def symbolic(value: Tensor, place: torch.device) -> SymbolicTensor:
    """A tensor of the network as a torch tensor on the module's device."""
    made = torch.Tensor._make_subclass(SymbolicTensor, torch.empty(0))
    made.value, made.place = value, place
    return made


def torch_dtype(value: Tensor) -> torch.dtype:
    """The dtype of a tensor of the network, as torch's."""
    found: torch.dtype = getattr(torch, value.dtype.name)
    return found


def shape_of(value: Tensor) -> Any:
    """The shape of a tensor of the network: torch's, unless the network has sizes that are known only at run time."""
    shape: Any = value.shape
    return Shape(shape) if value.network.dims or is_symbolic(shape) else TORCHS(shape)


def is_symbolic(value: Any) -> bool:
    """Whether a value, or something in a structure of values, is known only when the engine runs."""
    return any(isinstance(leaf, SymbolicTensor | Dim | Real) for leaf in leaves(value))
