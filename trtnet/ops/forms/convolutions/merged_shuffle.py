"""A convolution of shuffled channels as one of the channels as they were, with its kernel's channels in their order.

Of channels that it does not read the kernel is 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from trtnet.graph import Tensor
from trtnet.ops.convolutions.conv import convolution
from trtnet.ops.convolutions.rewriting.made import Made
from trtnet.ops.formulations import form


@form("shuffled", "merged")
def merged(x: Tensor, one: Made, places: np.ndarray[Any, Any]) -> Tensor:
    """One IConvolutionLayer; where nothing else reads the shuffled channels, they are not shuffled."""
    at, kernel = one.geometry, one.kernel
    whole = np.zeros((kernel.shape[0], int(x.shape[1]), *kernel.shape[2:]), kernel.dtype)
    whole[:, places] = kernel
    bias = one.bias if "bias" in one.convolution.weights else None
    return convolution(x, whole, bias, at.stride, at.padding, at.dilation, 1, x.ndim - 2)
