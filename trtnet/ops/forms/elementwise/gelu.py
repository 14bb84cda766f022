"""GELU in float32, and approximations of it."""

from __future__ import annotations

from math import sqrt

from trtnet.graph import Tensor
from trtnet.ops.elementwise.activation import sigmoid
from trtnet.ops.elementwise.arithmetic import add, minimum, mul
from trtnet.ops.elementwise.layers import activation
from trtnet.ops.elementwise.unary_functions import erf
from trtnet.ops.forms.dtypes import in_float32, is_float16
from trtnet.ops.forms.permuted import between_permutations
from trtnet.ops.formulations import form
from trtnet.ops.shapes.turned import CHANNELS_LAST, turning

ODD = (0.797820744, 0.0365449944, -1.93343436e-4, -1.38565822e-5)
"""The coefficients of x, x^3, x^5 and x^7."""
LARGEST_SQUARE = 25.0
"""Of x: beyond 5 the sigmoid is 0 or 1, and powers would leave float16's range."""


@form("gelu", "float32", applies=is_float16)
def float32(x: Tensor, kind: str) -> Tensor:
    """TensorRT-RTX is slower with GELU as the float16 epilogue of a product.

    The exact function is written out: TensorRT's own layer for it divides each element by the square root of 2. On an
    H200 a kernel of ViT-B's 19 million elements takes 27 us so, 32 us with the layer.
    """
    return in_float32(lambda y: _by_erf(y) if is_exact(x, kind) else activation(y, kind, "gelu"), x)


def _by_erf(x: Tensor) -> Tensor:
    return mul(x, add(mul(erf(mul(x, sqrt(0.5))), 0.5), 0.5))


def is_exact(x: Tensor, kind: str) -> bool:
    """Whether it is the exact GELU, not torch's approximation by tanh."""
    return kind == "GELU_ERF"


def is_exact_in_float16(x: Tensor, kind: str) -> bool:
    """Whether it is the exact GELU in float16."""
    return is_exact(x, kind) and is_float16(x, kind)


def has_rows(x: Tensor, kind: str) -> bool:
    """Whether it is the exact GELU in float16 of two dimensions or more."""
    return is_exact_in_float16(x, kind) and x.ndim > 1


@form("gelu", "apart", applies=has_rows)
def apart(x: Tensor, kind: str) -> Tensor:
    """In float32, between permutations that undo each other: so TensorRT has a kernel for it alone.

    As the epilogue of a product, the exact function makes its tensor cores wait. On an H200 a perceptron of ViT-B at
    batch 32 is 15 us faster so. Of an image that is kept with its channels last, what is kept is permuted.
    """
    found = turning(x)
    if found is not None and found.order == CHANNELS_LAST:
        return found.like(apart(found.source, kind))
    return between_permutations(lambda y: float32(y, kind), x)


@form("gelu", "tanh", applies=is_exact, approximate=True)
def tanh(x: Tensor, kind: str) -> Tensor:
    """The approximation by tanh, at most 5e-4 away. On an H200 it costs 1.5 us where the exact function costs 37."""
    return activation(x, "GELU_TANH", "gelu")


@form("gelu", "polynomial", applies=is_exact, approximate=True)
def polynomial(x: Tensor, kind: str) -> Tensor:
    """x * sigmoid(2 p(x)) in float32, with an odd polynomial p of degree 7: at most 2.5e-5 away."""
    return in_float32(_by_polynomial, x)


@form("gelu", "polynomial_float16", applies=is_exact_in_float16, approximate=True)
def polynomial_float16(x: Tensor, kind: str) -> Tensor:
    """The polynomial in float16: of standard normal values 2.7e-4 relative L2, where rounding the exact ones is 2.1e-4.

    On an H200 two perceptrons of ViT-B (6,304 rows) take 241 us with it, 278 with the exact function.
    """
    return _by_polynomial(x)


def _by_polynomial(x: Tensor) -> Tensor:
    square = minimum(mul(x, x), LARGEST_SQUARE)
    total = mul(square, ODD[3])
    for factor in ODD[2:0:-1]:
        total = mul(add(total, factor), square)
    return mul(x, sigmoid(mul(mul(add(total, ODD[0]), x), 2.0)))
