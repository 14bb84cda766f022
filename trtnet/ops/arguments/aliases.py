"""torch's second names of operations."""

from __future__ import annotations

from trtnet.ops.elementwise.basic import (
    abs,
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atanh,
    ge,
    gt,
    le,
    lt,
    mul,
    ne,
    neg,
    sign,
    sub,
    trunc,
)
from trtnet.ops.elementwise.division import div
from trtnet.ops.elementwise.special import atan2
from trtnet.ops.products.matmul import outer
from trtnet.ops.shapes.views import vstack

absolute, negative, sgn, fix = abs, neg, sign, trunc
arccos, arccosh, arcsin, arcsinh, arctan, arctanh, arctan2 = acos, acosh, asin, asinh, atan, atanh, atan2
multiply, subtract, divide, true_divide = mul, sub, div, div
not_equal = ne
greater, greater_equal, less, less_equal = gt, ge, lt, le
ger, row_stack = outer, vstack
