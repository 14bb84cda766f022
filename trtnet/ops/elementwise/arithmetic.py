"""Sums, differences, products and extremes, with torch's promotion and broadcasting."""

from __future__ import annotations

import numpy as np

from trtnet.graph import Tensor
from trtnet.graph.memory.pending import PendingLayer
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import common_type, network_of, tensor, warn
from trtnet.ops.arguments.promotion import computed_in
from trtnet.ops.elementwise.biases import note_sum, plus_constants
from trtnet.ops.elementwise.layers import cast, layer, no_uint8
from trtnet.ops.normalization.behind import less_itself
from trtnet.ops.quantization.activations import summands
from trtnet.support import dtypes
from trtnet.support.dtypes import DType

_OF_BOOLS = {"SUM": "OR", "MAX": "OR", "PROD": "AND", "MIN": "AND"}
"""What torch's arithmetic is for two bools."""


def arithmetic(operation: str, x: Operand, y: Operand, name: str, dtype: DType | None = None) -> Tensor:
    """One layer in torch's result type, or in `dtype`; of 16-bit floats in float32 where the result would differ.

    int8, which few TensorRTs compute with, is computed as int32 and taken modulo 256.
    Raises LayerError for bools that torch refuses, and for uint8.
    """
    wanted = dtype or common_type(name, x, y)
    if wanted == dtypes.bool_:
        if operation not in _OF_BOOLS:
            network_of(x, y).fail(f"{name} of two bools: cast one, or use ops.logical_xor", {"x": x, "y": y})
        return layer(_OF_BOOLS[operation], x, y, name, wanted)
    if wanted in (dtypes.int8, dtypes.uint8):
        no_uint8(name, wanted, network_of(x, y), x=x, y=y)
        return as_int8(layer(operation, x, y, name, dtypes.int32))
    return cast(layer(operation, x, y, name, computed_in(wanted, x, y)), wanted)


def as_int8(x: Tensor) -> Tensor:
    """int32 as int8, of values beyond it what is left modulo 256."""
    y = add(x, 128)
    rest = sub(y, mul(arithmetic("FLOOR_DIV", y, 256, "modulo"), 256))
    return cast(sub(rest, 128), dtypes.int8)


def add(x: Operand, y: Operand, alpha: float = 1) -> Tensor:
    """``x + alpha * y``; for bools, logical or.

    x, y: shapes that broadcast; floating, integer or bool tensors, or numbers. alpha: a number, which does not change
    the dtype. Returns the broadcast shape, in torch's promoted dtype.
    Layer: IElementWiseLayer SUM; of two convolutions of one image there is another form, one convolution.
    Raises LayerError for shapes that do not broadcast, for uint8, and for integers with a floating alpha.
    """
    x, y = summands(x, y) if alpha == 1 else (x, y)
    joined = _joined(x, y) if alpha == 1 else None
    if joined is not None:
        return joined
    total = _sum("SUM", x, y, alpha, "add")
    if alpha == 1 and isinstance(x, Tensor):
        note_sum(x, y, total)
    return total


def _joined(x: Operand, y: Operand) -> Tensor | None:
    """The sum as the layer that makes one of the two, where that takes the other."""
    if isinstance(x, Tensor) and isinstance(y, Tensor):
        for one, other in ((x, y), (y, x)):
            pending = one.current
            if isinstance(pending, PendingLayer) and pending.is_free:
                found: Tensor | None = pending.offer.plus(one, other)
                return found
    return plus_constants(x, y) if isinstance(x, Tensor) else None


def sub(x: Operand, y: Operand, alpha: float = 1) -> Tensor:
    """``x - alpha * y``, with torch's promotion.

    x, y: shapes that broadcast; floating or integer tensors, or numbers. alpha: a number, which does not change the
    dtype. Returns the broadcast shape, in torch's promoted dtype.
    Layer: IElementWiseLayer SUB.
    Raises LayerError for shapes that do not broadcast, for uint8, and for bools, as torch does.
    """
    for operand in (x, y):
        if common_type("sub", operand) == dtypes.bool_ and not isinstance(operand, bool | np.bool_):
            text = "sub of bools: ~x is not x, ops.logical_xor(x, y) where they differ; or cast one"
            network_of(x, y).fail(text, {"x": x, "y": y})
    joined = less_itself(x, y) if alpha == 1 else None
    return _sum("SUB", x, y, alpha, "sub") if joined is None else joined


def rsub(x: Operand, y: Operand, alpha: float = 1) -> Tensor:
    """``y - alpha * x``: `sub` with its operands exchanged.

    x, y: shapes that broadcast; floating or integer tensors, or numbers. alpha: a number. Returns the broadcast shape,
    in torch's promoted dtype.
    Layer: IElementWiseLayer SUB.
    Raises LayerError where `sub` does.
    """
    return sub(y, x, alpha)


def _sum(operation: str, x: Operand, y: Operand, alpha: float, name: str) -> Tensor:
    result = arithmetic(operation, x, y, name) if alpha == 1 else _scaled_sum(operation, x, y, alpha, name)
    for number in (x, y):
        _warn_of_nothing(number, result.dtype, name)
    return result


def _scaled_sum(operation: str, x: Operand, y: Operand, alpha: float, name: str) -> Tensor:
    """In the result type of `x` and `y`, of 16-bit floats rounded once."""
    dtype, network = common_type(name, x, y), network_of(x, y)
    if not dtype.is_floating and isinstance(alpha, float):
        network.fail(f"{name} of {dtype} takes an alpha that is an integer, found {alpha}", {"x": x, "y": y})
    a, b = (tensor(operand, network, dtype) for operand in (x, y))
    if dtype == dtypes.bool_:
        return arithmetic(operation, a, b, name) if alpha else a
    wide = dtypes.float32 if dtype.is_floating else dtype
    return cast(arithmetic(operation, cast(a, wide), mul(cast(b, wide), alpha), name), dtype)


def _warn_of_nothing(number: Operand, dtype: DType, name: str) -> None:
    """A number that is added to keep from 0 does not, where it is too small for the dtype of the sum."""
    if isinstance(number, float) and number and dtype.is_floating and dtype.numpy.type(number) == 0:
        warn(f"{name}: {number:g} is 0 in {dtype}, so that 0 stays 0")


def mul(x: Operand, y: Operand) -> Tensor:
    """``x * y``; for bools, logical and.

    x, y: shapes that broadcast; floating, integer or bool tensors, or numbers. Returns the broadcast shape, in torch's
    promoted dtype.
    Layer: IElementWiseLayer PROD.
    Raises LayerError for shapes that do not broadcast, and for uint8.
    """
    return arithmetic("PROD", x, y, "mul")


def maximum(x: Operand, y: Operand) -> Tensor:
    """The larger of each pair of elements; for bools, logical or.

    x, y: shapes that broadcast; floating, integer or bool tensors, or numbers. Returns the broadcast shape, in torch's
    promoted dtype.
    Layer: IElementWiseLayer MAX.
    Raises LayerError for shapes that do not broadcast, and for uint8.
    """
    return _extreme("MAX", x, y, "maximum")


def minimum(x: Operand, y: Operand) -> Tensor:
    """The smaller of each pair of elements; for bools, logical and.

    x, y: shapes that broadcast; floating, integer or bool tensors, or numbers. Returns the broadcast shape, in torch's
    promoted dtype.
    Layer: IElementWiseLayer MIN.
    Raises LayerError for shapes that do not broadcast, and for uint8.
    """
    return _extreme("MIN", x, y, "minimum")


def _extreme(operation: str, x: Operand, y: Operand, name: str) -> Tensor:
    """Of 16-bit floats in their own dtype: the larger of two values is the same after rounding as before."""
    dtype = common_type(name, x, y)
    if dtype.is_floating:
        return layer(operation, x, y, name, dtype)
    return arithmetic(operation, x, y, name, dtype)
