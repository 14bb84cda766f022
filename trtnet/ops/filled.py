"""Tensors of one value.

device, layout, requires_grad, pin_memory and memory_format are torch's, without effect: an engine has one device
and one layout, and no gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trtnet.graph import Dim, Size, Tensor, current
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import tensor as as_operand
from trtnet.ops.shapes.expansion import expand
from trtnet.support import dtypes
from trtnet.support.dtypes import DTypeLike


def full(
    size: Sequence[Size],
    fill_value: Operand,
    dtype: DTypeLike | None = None,
    device: Any = None,
    *,
    layout: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor filled with one value.

    size: ints or Dims. fill_value: a number, or a tensor of one element. dtype: by default int64 or bool for such a
    value, the network's dtype for floats. Returns `size`, [n, m] for full((n, m), 1), in that dtype.
    Layer: IConstantLayer, and ISliceLayer with stride 0.
    Raises LayerError for sizes that are neither ints nor Dims.
    """
    network, sizes = current(), (size,) if isinstance(size, int | Dim) else tuple(size)
    kept = dtypes.bool_ if isinstance(fill_value, bool) else dtypes.int64
    default = kept if isinstance(fill_value, int | Dim) else network.dtype
    wanted = default if dtype is None else dtypes.get(dtype)
    return expand(as_operand(fill_value, network, wanted, len(sizes)), sizes)


def zeros(
    *size: Any,
    dtype: DTypeLike | None = None,
    device: Any = None,
    layout: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor of zeros, ``zeros(2, 3)`` or ``zeros((2, 3))``.

    size: ints or Dims. dtype: the network's dtype by default. Returns [*size], in that dtype.
    Layer: IConstantLayer, and ISliceLayer with stride 0.
    Raises LayerError for sizes that are neither ints nor Dims.
    """
    return _filled(size, 0, dtype)


def ones(
    *size: Any,
    dtype: DTypeLike | None = None,
    device: Any = None,
    layout: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor of ones, ``ones(2, 3)`` or ``ones((2, 3))``.

    size: ints or Dims. dtype: the network's dtype by default. Returns [*size], in that dtype.
    Layer: IConstantLayer, and ISliceLayer with stride 0.
    Raises LayerError for sizes that are neither ints nor Dims.
    """
    return _filled(size, 1, dtype)


def empty(
    *size: Any,
    dtype: DTypeLike | None = None,
    device: Any = None,
    layout: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor to be written to, filled with zeros here.

    size: ints or Dims. dtype: the network's dtype by default. Returns [*size], in that dtype.
    Layer: IConstantLayer, and ISliceLayer with stride 0.
    Raises LayerError for sizes that are neither ints nor Dims.
    """
    return _filled(size, 0, dtype)


def _filled(size: tuple[Any, ...], value: int, dtype: DTypeLike | None) -> Tensor:
    """Of sizes one by one or in one sequence, after which a dtype may stand."""
    given = list(size)
    if len(given) == 2 and isinstance(given[0], list | tuple) and dtype is None:
        dtype = given.pop()
    apart = given[0] if len(given) == 1 and isinstance(given[0], list | tuple) else given
    return full(apart, value, current().dtype if dtype is None else dtype)


def full_like(
    x: Tensor,
    fill_value: Operand,
    dtype: DTypeLike | None = None,
    device: Any = None,
    *,
    layout: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """A tensor of the shape of `x`, filled with one value.

    x: any shape and dtype. fill_value: a number, or a tensor of one element. Returns the shape of `x`, in its dtype or
    in `dtype`.
    Layer: IConstantLayer, and ISliceLayer with stride 0.
    Raises LayerError for a value outside the range of the dtype.
    """
    wanted = x.dtype if dtype is None else dtypes.get(dtype)
    return expand(as_operand(fill_value, x.network, wanted, x.ndim), x.shape)


def zeros_like(
    x: Tensor,
    dtype: DTypeLike | None = None,
    device: Any = None,
    *,
    layout: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Zeros in the shape of `x`.

    x: any shape and dtype. Returns the shape of `x`, in its dtype or in `dtype`.
    Layer: IConstantLayer, and ISliceLayer with stride 0.
    Raises ModelError for an `x` that is not a tensor of the network.
    """
    return full_like(x, 0, dtype)


def ones_like(
    x: Tensor,
    dtype: DTypeLike | None = None,
    device: Any = None,
    *,
    layout: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Ones in the shape of `x`.

    x: any shape and dtype. Returns the shape of `x`, in its dtype or in `dtype`.
    Layer: IConstantLayer, and ISliceLayer with stride 0.
    Raises ModelError for an `x` that is not a tensor of the network.
    """
    return full_like(x, 1, dtype)


def empty_like(
    x: Tensor,
    dtype: DTypeLike | None = None,
    device: Any = None,
    *,
    layout: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """A tensor of the shape of `x` to be written to, filled with zeros here.

    x: any shape and dtype. Returns the shape of `x`, in its dtype or in `dtype`.
    Layer: IConstantLayer, and ISliceLayer with stride 0.
    Raises ModelError for an `x` that is not a tensor of the network.
    """
    return full_like(x, 0, dtype)
