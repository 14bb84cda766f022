"""A convolution of a concatenation as the sum of convolutions of its parts, each with its channels of the kernel.

Where nothing else reads the concatenation, it is neither written nor read. There is no such form behind a norm or an
activation of a concatenation, as in DenseNet: each part would be normed and written for each convolution, which is as
much as is read and written with the concatenation.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trtnet.graph import Tensor
from trtnet.ops.convolutions.conv import convolution
from trtnet.ops.convolutions.rewriting.made import Made
from trtnet.ops.elementwise.arithmetic import add
from trtnet.ops.formulations import form


@form("cat", "sum")
def summed(x: Tensor, one: Made, parts: Sequence[Tensor]) -> Tensor:
    """As many layers as parts, the bias in the first one, and sums."""
    at, bias = one.geometry, one.bias if "bias" in one.convolution.weights else None
    ends = np.cumsum([part.shape[1] for part in parts])
    total: Tensor | None = None
    for part, kernel in zip(parts, np.split(one.kernel, ends[:-1], axis=1), strict=True):
        own = np.ascontiguousarray(kernel)
        y = convolution(part, own, bias if total is None else None, at.stride, at.padding, at.dilation, 1, x.ndim - 2)
        total = y if total is None else add(total, y)
    assert total is not None
    return total
