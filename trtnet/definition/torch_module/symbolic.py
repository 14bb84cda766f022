"""The tensors that a PyTorch module is called with: torch tensors to whoever asks, values of a network to trtnet."""

from __future__ import annotations

from typing import Any

import torch

from trtnet.graph import Dim, Real, Size, Tensor
from trtnet.graph.sizes.dim import numel
from trtnet.graph.structures import leaves


class Shape(tuple[Any, ...]):
    """A shape with sizes that are known only at run time, with torch.Size's method."""

    __slots__ = ()

    def numel(self) -> Size:
        """The number of elements."""
        return numel(tuple(self))


class SymbolicTensor(torch.Tensor):
    """A torch tensor without values. ``value``: the tensor of the network that it stands for."""

    value: Tensor
    place: torch.device

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
    """The shape of a tensor of the network: torch's where it is static."""
    known = all(isinstance(size, int) for size in value.shape)
    return torch.Size(value.shape) if known else Shape(value.shape)  # type: ignore[arg-type]


def is_symbolic(value: Any) -> bool:
    """Whether a value, or something in a structure of values, is known only when the engine runs."""
    return any(isinstance(leaf, SymbolicTensor | Dim | Real) for leaf in leaves(value))
