"""Logic of bools."""

from __future__ import annotations

from trtnet.graph import Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.elementwise.layers import cast, layer, unary
from trtnet.support import dtypes


def logical_and(x: Operand, y: Operand) -> Tensor:
    """True where both elements are true; a number is true where it is not 0.

    x, y: shapes that broadcast, of any dtype. Returns the broadcast shape, bool.
    Layer: IElementWiseLayer AND.
    Raises LayerError for shapes that do not broadcast.
    """
    return layer("AND", x, y, "logical_and", dtypes.bool_)


def logical_or(x: Operand, y: Operand) -> Tensor:
    """True where at least one of two elements is true; a number is true where it is not 0.

    x, y: shapes that broadcast, of any dtype. Returns the broadcast shape, bool.
    Layer: IElementWiseLayer OR.
    Raises LayerError for shapes that do not broadcast.
    """
    return layer("OR", x, y, "logical_or", dtypes.bool_)


def logical_xor(x: Operand, y: Operand) -> Tensor:
    """True where exactly one of two elements is true; a number is true where it is not 0.

    x, y: shapes that broadcast, of any dtype. Returns the broadcast shape, bool.
    Layer: IElementWiseLayer XOR.
    Raises LayerError for shapes that do not broadcast.
    """
    return layer("XOR", x, y, "logical_xor", dtypes.bool_)


def logical_not(x: Operand) -> Tensor:
    """True where `x` is false or 0.

    x: any shape and dtype. Returns the shape of `x`, bool.
    Layer: IUnaryLayer NOT.
    Raises LayerError for an operand that is neither a tensor nor a number.
    """
    return unary(cast(x, dtypes.bool_), "NOT", "not")
