"""Softmax in float32, and by its definition."""

from __future__ import annotations

from trtnet.graph import Tensor
from trtnet.ops.elementwise.softmax import softmax_layer, written_out
from trtnet.ops.forms.dtypes import has_16_bits, in_float32
from trtnet.ops.formulations import form


@form("softmax", "float32", applies=has_16_bits)
def float32(x: Tensor, along: int) -> Tensor:
    """Between casts to float32 and back."""
    return in_float32(lambda y: softmax_layer(y, along), x)


def is_floating(x: Tensor, along: int) -> bool:
    """Whether it is of floats."""
    return x.dtype.is_floating


@form("softmax", "decomposed", applies=is_floating)
def decomposed(x: Tensor, along: int) -> Tensor:
    """exp(x - max) over its sum, in float32."""
    return written_out(x, along)
