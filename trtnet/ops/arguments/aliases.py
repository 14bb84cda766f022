"""torch's second names of operations."""

from __future__ import annotations

from trtnet.ops.elementwise.arithmetic import mul, sub
from trtnet.ops.elementwise.comparison import ge, gt, le, lt, ne
from trtnet.ops.elementwise.division import div
from trtnet.ops.elementwise.rounding import trunc
from trtnet.ops.elementwise.special import atan2
from trtnet.ops.elementwise.unary_functions import abs, acos, acosh, asin, asinh, atan, atanh, neg, sign
from trtnet.ops.products.matmul import outer
from trtnet.ops.shapes.views import vstack

absolute, negative, sgn, fix = abs, neg, sign, trunc
arccos, arccosh, arcsin, arcsinh, arctan, arctanh, arctan2 = acos, acosh, asin, asinh, atan, atanh, atan2
multiply, subtract, divide, true_divide = mul, sub, div, div
not_equal = ne
greater, greater_equal, less, less_equal = gt, ge, lt, le
ger, row_stack = outer, vstack
