"""Convolutions of one image as one convolution, whose kernels are below each other.

The branches of Inception, GoogLeNet and CSP begin so: the image is read once, and small layers become a larger one. The
results are slices; where they are concatenated, the concatenation is none.
"""

from __future__ import annotations

from dataclasses import replace

from trtnet.graph import Tensor
from trtnet.ops.convolutions.rewriting.made import Made
from trtnet.ops.convolutions.rewriting.whole import Whole
from trtnet.ops.formulations import form


def has_the_window(x: Tensor, whole: Whole, one: Made) -> bool:
    """Whether both have one window in one place."""
    return whole.window == one.shape[2:] and whole.padding == one.geometry.padding


@form("siblings", "merged", applies=has_the_window)
def merged(x: Tensor, whole: Whole, one: Made) -> Whole:
    """One more, of the same window."""
    return replace(whole, members=(*whole.members, one))


@form("siblings", "padded")
def padded(x: Tensor, whole: Whole, one: Made) -> Whole:
    """One more, of any window, with zeros around the smaller one: a 1x1 and a 3x3 convolution are one of 3x3."""
    grown = whole.grown(one)
    assert grown is not None
    return replace(grown, members=(*whole.members, one))
