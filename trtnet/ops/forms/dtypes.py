"""Where forms apply: dtypes, and operations computed in float32."""

from __future__ import annotations

from collections.abc import Callable

from trtnet.graph import Tensor
from trtnet.ops.elementwise.layers import cast
from trtnet.support.dtypes import float16, float32


def has_16_bits(x: Tensor, *_: object) -> bool:
    """Whether the operation is of float16 or bfloat16."""
    return x.dtype.is_floating and x.dtype.bits == 16


def is_float16(x: Tensor, *_: object) -> bool:
    """Whether the operation is of float16."""
    return x.dtype == float16


def in_float32(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """A function of a tensor between casts to float32 and back."""
    return cast(function(cast(x, float32)), x.dtype)
