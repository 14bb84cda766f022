"""RMS norms with the weight in float32, and with a product for the mean of the squares."""

from __future__ import annotations

import numpy as np

from trtnet.graph import Tensor
from trtnet.graph.shapes import constant
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import tensor
from trtnet.ops.elementwise.arithmetic import add, mul
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.elementwise.unary_functions import rsqrt
from trtnet.ops.forms.dtypes import has_16_bits
from trtnet.ops.formulations import form
from trtnet.ops.normalization.norm import inverse_rms
from trtnet.ops.products.matmul import matmul
from trtnet.support import dtypes


def has_weight(x: Tensor, axes: tuple[int, ...], weight: Operand | None, eps: float) -> bool:
    """Whether it has a weight, and is of float16 or bfloat16."""
    return weight is not None and has_16_bits(x)


@form("rms_norm", "float32", applies=has_weight)
def float32(x: Tensor, axes: tuple[int, ...], weight: Operand, eps: float) -> Tensor:
    """Rounded once, after the product with the weight."""
    wide = cast(x, dtypes.float32)
    gain = cast(tensor(weight, x.network, x.dtype), dtypes.float32)
    return cast(mul(mul(wide, inverse_rms(wide, axes, eps)), gain), x.dtype)


def is_last_axis(x: Tensor, axes: tuple[int, ...], weight: Operand | None, eps: float) -> bool:
    """Whether it is over the last axis, of a known size."""
    return len(axes) == 1 and x.ndim > 1 and isinstance(x.shape[-1], int)


@form("rms_norm", "product", applies=is_last_axis)
def product(x: Tensor, axes: tuple[int, ...], weight: Operand | None, eps: float) -> Tensor:
    """The mean of the squares as a float32 product with a column of ones over their number."""
    wide, count = cast(x, dtypes.float32), int(x.shape[-1])
    ones = constant(x.network, np.full((count, 1), 1 / count, np.float32))
    normal = cast(mul(wide, rsqrt(add(matmul(mul(wide, wide), ones), eps))), x.dtype)
    return normal if weight is None else mul(normal, weight)
