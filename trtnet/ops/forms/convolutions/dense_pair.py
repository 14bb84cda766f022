"""A depthwise convolution and the 1x1 convolution behind it as one, whose kernel is the product of theirs.

More operations and less memory: what is between them is neither written nor read. That pays for few channels.
"""

from __future__ import annotations

import numpy as np

from trtnet.graph import Tensor
from trtnet.ops.convolutions.batch_norm_folding import fits
from trtnet.ops.convolutions.conv import convolution
from trtnet.ops.convolutions.rewriting.made import Made
from trtnet.ops.formulations import form


@form("separable", "dense")
def dense(x: Tensor, first: Made, second: Made) -> Tensor | None:
    """One layer with weights computed in float64 and rounded once; None where they would not be finite."""
    groups, outputs = first.geometry.groups, second.shape[0]
    point = second.kernel.astype(np.float64).reshape(outputs, -1)
    windows = first.kernel.astype(np.float64).reshape(groups, -1, *first.shape[2:])
    kernel = np.einsum("ocm,cm...->oc...", point.reshape(outputs, groups, -1), windows)
    bias = point @ first.bias.astype(np.float64) + second.bias.astype(np.float64)
    if not (fits(kernel, x.dtype) and fits(bias, x.dtype)):
        return None
    at, narrow = first.geometry, x.dtype.numpy
    stride = tuple(a * b for a, b in zip(at.stride, second.geometry.stride, strict=True))
    return convolution(x, kernel.astype(narrow), bias.astype(narrow), stride, at.padding, at.dilation, 1, len(stride))
