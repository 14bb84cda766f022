"""Linear layers of the tensor before a layer norm, which is applied to their results.

The norm's kernel, which as a rule writes a sum before it, writes two numbers a row instead of all normalized elements.
"""

from __future__ import annotations

import numpy as np

from trtnet.graph import Tensor
from trtnet.ops.arguments.operands import tensor
from trtnet.ops.elementwise.arithmetic import add, mul, sub
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.elementwise.unary_functions import rsqrt
from trtnet.ops.forms.normalization.behind import Folded
from trtnet.ops.formulations import form
from trtnet.ops.normalization.behind import Constant, Normed, in_shape
from trtnet.ops.products.linear import multiplied
from trtnet.ops.products.matmul import stored
from trtnet.ops.reductions.reduce import mean
from trtnet.ops.shapes.first_parts import gathered
from trtnet.support.dtypes import float32


@form("normed_rows", "behind")
def rows(x: Tensor, found: Normed, weight: Constant, bias: Constant | None, is_stored: bool) -> Tensor | None:
    """``r (V x - m s)``, plus constants, with V of ``W diag(w)`` less the mean of each row, and s what V sums to.

    That is 0 but for rounding to 16 bits, so that the result does not lose what the mean takes. None where the weights
    would not be finite.
    """
    folded = Folded.of(x, found, weight, bias, is_stored)
    if not folded.fits(x):
        return None
    narrow = (folded.matrix - folded.matrix.mean(1, keepdims=True)).astype(x.dtype.numpy)
    sums = narrow.astype(np.float64).sum(1)
    found = in_shape(x, found)
    found.x = gathered(found.x)  # as the statistics read it: a slice is one tensor, so that positions are found
    y = stored(found.x, np.ascontiguousarray(narrow.T)) if is_stored else multiplied(found.x, narrow)
    centre, inverse = _statistics(found)
    s, shift = (tensor(each.astype(np.float32), x.network, ndim=y.ndim) for each in (sums, folded.offsets))
    x.network.aside.append(x)
    return cast(add(mul(sub(cast(y, float32), mul(centre, s)), inverse), shift), x.dtype)


def _statistics(found: Normed) -> tuple[Tensor, Tensor]:
    """Of each row, computed once for all that reads it."""
    if _statistics not in found.statistics:
        wide = cast(found.x, float32)
        centre = mean(wide, found.axes, keepdim=True)
        left = sub(wide, centre)
        variance = mean(mul(left, left), found.axes, keepdim=True)
        found.statistics[_statistics] = centre, rsqrt(add(variance, found.eps))
    return found.statistics[_statistics]
