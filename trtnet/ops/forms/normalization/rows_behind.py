"""Linear layers of the tensor before a layer norm, which is applied to their results.

The kernel of the norm, which as a rule writes a sum before it, writes one number a row instead of a normalized row.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from trtnet.graph import Tensor
from trtnet.ops.arguments.operands import tensor
from trtnet.ops.elementwise.arithmetic import add, mul
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.forms.normalization import centring
from trtnet.ops.forms.normalization.behind import Array, Folded
from trtnet.ops.formulations import form
from trtnet.ops.normalization.behind import Constant, Normed, in_shape
from trtnet.ops.products.linear import multiplied
from trtnet.ops.products.matmul import stored
from trtnet.ops.shapes.first_parts import gathered
from trtnet.support.dtypes import float32

LEAST = 16
"""So many numbers of a row take what its rounding leaves."""


@form("normed_rows", "behind")
def rows(x: Tensor, found: Normed, weight: Constant, bias: Constant | None, is_stored: bool) -> Tensor | None:
    """``r V x``, plus constants. V is ``W diag(w)`` less the mean of each row, so that it takes the mean of `x` itself.

    None where the weights would not be finite.
    """
    folded = Folded.of(x, found, weight, bias, is_stored)
    if not folded.fits(x):
        return None
    narrow = centred(folded.matrix, x.dtype.numpy)
    found = in_shape(x, found)
    found.x = gathered(found.x)  # as the statistics read it: a slice is one tensor, so that positions are found
    y = stored(found.x, np.ascontiguousarray(narrow.T)) if is_stored else multiplied(found.x, narrow)
    shift = tensor(folded.offsets.astype(np.float32), x.network, ndim=y.ndim)
    x.network.aside.append(x)
    return cast(add(mul(cast(y, float32), found.statistics(_of_rows)[1]), shift), x.dtype)


def centred(matrix: Array, dtype: np.dtype[Any]) -> Array:
    """Rows less their means, rounded to a dtype, whose sums are zero but for the rounding of their least numbers.

    What the rounding of a row leaves is taken from its least numbers, which are rounded the most finely.
    """
    narrow = (matrix - matrix.mean(1, keepdims=True)).astype(dtype)
    for count in (min(LEAST, matrix.shape[1]), 1):
        wide = narrow.astype(np.float64)
        least = np.argpartition(abs(wide), count - 1, axis=1)[:, :count]
        changed = np.take_along_axis(wide, least, 1) - wide.sum(1, keepdims=True) / count
        np.put_along_axis(narrow, least, changed.astype(dtype), 1)
    return narrow


def _of_rows(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """The mean and the reciprocal deviation of each row in float32."""
    centre, _, inverse = centring.centred(cast(x, float32), (-1,), eps)
    return centre, inverse
