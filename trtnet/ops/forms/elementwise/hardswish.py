"""x * hardsigmoid(x) in float32, and by a clip."""

from __future__ import annotations

from trtnet.graph import Tensor
from trtnet.ops.elementwise.activation import hardsigmoid, relu6
from trtnet.ops.elementwise.arithmetic import add, mul
from trtnet.ops.forms.dtypes import has_16_bits, in_float32
from trtnet.ops.formulations import form


@form("hardswish", "float32", applies=has_16_bits)
def float32(x: Tensor) -> Tensor:
    """Between casts to float32 and back."""
    return in_float32(lambda y: mul(y, hardsigmoid(y)), x)


@form("hardswish", "clip")
def clip(x: Tensor) -> Tensor:
    """x times x + 3 clipped to [0, 6], times a sixth; in float32, where x * 6 does not overflow."""
    return in_float32(lambda y: mul(mul(y, relu6(add(y, 3.0))), 1 / 6), x)
