"""Tensors that forms keep with their axes in another order: operations of single elements are computed in that order.

TensorRT-RTX computes what follows a product in the kernel of the product only where no permutation is between them, and
a tensor that is read in two orders is written twice. A form that makes its result in an order of its own says so with
`turned`: ReLUs, batch norms, sums and casts of the result are then layers of what was permuted, and the permutation
follows; permutations of the result are permutations of what was permuted, or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from trtnet.graph import Parameter, Tensor
from trtnet.graph.memory.pending import PendingLayer
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import ndim_of, tensor

Order = tuple[int, ...]
CHANNELS_LAST: Order = (0, 3, 1, 2)
"""The axes of [batch, height, width, channels] in the order of an image."""


@dataclass(frozen=True)
class Turned:
    """What a tensor was permuted from, and the axes of that, in their order.

    joins: whether images that are added to it are kept so from then on, as shortcuts.
    """

    source: Tensor
    order: Order
    joins: bool = False

    @property
    def back(self) -> Order:
        """The axes of the tensor, in the order of the source."""
        return tuple(map(self.order.index, range(len(self.order))))

    def like(self, source: Tensor) -> Tensor:
        """Another tensor that is kept in the same way."""
        return turned(source, self.order, joins=self.joins)


def turned(source: Tensor, order: Sequence[int], *, joins: bool = False) -> Tensor:
    """``source.permute(order)``, as a tensor that is kept as its source."""
    y = source.permute(*order).fresh()
    source.network.turned[y.trt] = Turned(source.fresh(), tuple(order), joins)
    return y


def turn(x: Tensor, order: Sequence[int]) -> Tensor:
    """What a tensor is when it is turned by this order, as it is from now on: operations of both are of the source.

    In a loop or a branch, what is made outside is turned for one operation: outside, the permutation cannot be read.
    """
    found = turning(x)
    if found is not None and found.order == tuple(order):
        return found.source.fresh()
    source = x.permute(*map(order.index, range(x.ndim))).fresh()
    if x.storage.body is x.network.body:
        x.network.turned[x.trt] = Turned(source.fresh(), tuple(order))
    return source


def permuted(x: Tensor, dims: Sequence[int]) -> Tensor | None:
    """A turned tensor with its axes in another order: its source, or that turned differently; None for another one."""
    found = turning(x)
    if found is None:
        return None
    order = tuple(found.order[axis] for axis in dims)
    return found.source.fresh() if order == tuple(range(len(order))) else turned(found.source, order)


def turning(x: Operand) -> Turned | None:
    """How a tensor was turned; None for another one, for constants and for numbers."""
    if not isinstance(x, Tensor) or not x.network.turned:
        return None
    value = x.current
    found: Turned | None = None if isinstance(value, PendingLayer) else x.network.turned.get(value)
    return found


def of_sources(function: Callable[..., Tensor], *operands: Operand) -> Tensor | None:
    """A function of single elements, of what tensors were turned from: its result is turned as they are.

    None where no operand is turned, two are differently, or another one is neither a constant that broadcasts to them
    nor an image that joins them.
    """
    found = {x.order: x for x in sorted(filter(None, map(turning, operands)), key=lambda x: x.joins)}
    if len(found) != 1:
        return None
    ((order, one),) = found.items()
    shape = tuple(one.source.shape[axis] for axis in order)
    if not all(_fits(x, shape, joins=one.joins) for x in operands):
        return None
    return one.like(function(*(_as_source(x, one) for x in operands)))


def _fits(x: Operand, shape: tuple[object, ...], *, joins: bool) -> bool:
    """Whether it is turned, a constant that broadcasts to a shape, or an image of this shape that joins others."""
    if turning(x) is not None or (joins and isinstance(x, Tensor) and x.ndim == len(shape) and x.shape == shape):
        return isinstance(x, Tensor) and x.shape == shape
    if isinstance(x, Tensor):
        if not _is_fixed(x):
            return False
    elif not isinstance(x, Parameter | np.ndarray | int | float):
        return False
    sizes = getattr(x, "shape", ())
    return len(sizes) <= len(shape) and all(n in (1, m) for n, m in zip(reversed(sizes), reversed(shape), strict=False))


def _is_fixed(x: Tensor) -> bool:
    """Whether a tensor is a constant."""
    value = x.current
    return not isinstance(value, PendingLayer) and x.network.known.is_fixed(value)


def _as_source(x: Operand, one: Turned) -> Operand:
    """A turned operand as its source; a constant with its axes in the order of the source, and so an image."""
    own = turning(x)
    if own is not None:
        return own.source
    if one.joins and isinstance(x, Tensor) and x.ndim == len(one.order) and not _is_fixed(x):
        return turn(x, one.order)
    if ndim_of(x) == 0:
        return x
    return tensor(x, one.source.network, ndim=len(one.order)).permute(*one.back)
