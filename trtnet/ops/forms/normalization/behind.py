"""Norms behind the layers that read their results: what the forms of these share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from trtnet.graph import Tensor
from trtnet.ops.arguments.operands import tensor
from trtnet.ops.convolutions.batch_norm_folding import fits
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.normalization.behind import Constant, Normed
from trtnet.ops.shapes.turned import Turned, turning
from trtnet.support.arrays import values
from trtnet.support.dtypes import float32

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Folded:
    """A matrix times a norm's weight, and what it makes of the norm's bias with its own added, in float64."""

    matrix: Array
    offsets: Array

    @classmethod
    def of(cls, x: Tensor, found: Normed, weight: Constant, bias: Constant | None, is_stored: bool = False) -> Folded:
        """Of a linear layer of `x`, which a norm has made. is_stored: whether its matrix is turned."""
        matrix = array_of(x, weight).T if is_stored else array_of(x, weight)
        offsets = np.zeros(len(matrix)) if bias is None else array_of(x, bias)
        if found.bias is not None:
            offsets = offsets + matrix @ array_of(x, found.bias)
        return cls(matrix if found.weight is None else matrix * array_of(x, found.weight), offsets)

    def fits(self, x: Tensor) -> bool:
        """Whether the matrix is finite in the dtype of `x`."""
        return fits(self.matrix, x.dtype)


@dataclass(frozen=True)
class Kept:
    """An image in float32, with its axes in the order in which it is kept."""

    image: Tensor
    turned: Turned | None

    @classmethod
    def of(cls, x: Tensor) -> Kept:
        """x: [batch, channels, height, width]."""
        found = turning(x)
        return cls(cast(x if found is None else found.source, float32), found)

    def per_channel(self, array: Array) -> Tensor:
        """A constant in float32 with a number for each channel."""
        own = array.astype(np.float32)[None, :, None, None]
        if self.turned is not None:
            own = np.ascontiguousarray(own.transpose(self.turned.back))
        return tensor(own, self.image.network)

    def per_image(self, numbers: Tensor) -> Tensor:
        """[batch, 1, 1, 1] as it broadcasts to the image."""
        is_first = self.turned is None or self.turned.order[0] == 0
        return numbers if is_first or self.turned is None else numbers.permute(*self.turned.back)

    def narrowed(self, y: Tensor, x: Tensor) -> Tensor:
        """A result, of the image in float32, in the dtype of `x`, with its axes as an image's."""
        result = cast(y, x.dtype)
        return result if self.turned is None else self.turned.like(result)


def array_of(x: Tensor, weight: Constant) -> Array:
    """Values in float64, those of a kernel of single pixels as a matrix."""
    array = values(weight) if isinstance(weight, np.ndarray) else x.network.array(weight)
    return np.asarray(array).astype(np.float64).reshape(array.shape[:2])
