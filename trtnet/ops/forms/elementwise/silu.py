"""x * sigmoid(x) in float32, and by tanh."""

from __future__ import annotations

from trtnet.graph import Tensor
from trtnet.ops.elementwise import activation
from trtnet.ops.elementwise.arithmetic import add, mul
from trtnet.ops.forms.dtypes import has_16_bits, in_float32
from trtnet.ops.formulations import form


@form("silu", "float32", applies=has_16_bits)
def float32(x: Tensor) -> Tensor:
    """Between casts to float32 and back."""
    return in_float32(lambda y: mul(y, activation.sigmoid(y)), x)


@form("silu", "tanh")
def tanh(x: Tensor) -> Tensor:
    """sigmoid(x) is (1 + tanh(x / 2)) / 2: half x, and half x times the tanh of half x."""
    half = mul(x, 0.5)
    return add(mul(half, activation.tanh(half)), half)
