"""The largest, the smallest, and all in order."""

from __future__ import annotations

from typing import NamedTuple

from trtnet import dtypes
from trtnet.backend import trt
from trtnet.graph import Size, Tensor
from trtnet.graph.shapes import size_tensor
from trtnet.ops.elementwise import cast
from trtnet.ops.operands import axis

LARGEST_K = 3840
"""The most elements that TensorRT's ITopKLayer selects."""


class Ordered(NamedTuple):
    """What topk, sort, max and min give: elements, and the int64 indices at which they stand."""

    values: Tensor
    indices: Tensor


def topk(x: Tensor, k: Size, dim: int = -1, largest: bool = True, sorted: bool = True) -> Ordered:
    """(values, int64 indices) of the k largest or smallest along `dim`, in order; k is at most 3840.

    sorted=False would leave the order open; here it is the same one. Layer: ITopKLayer.
    """
    along = axis(x, dim, "topk")
    if isinstance(k, int) and k > LARGEST_K:
        x.network.fail(f"topk takes at most {LARGEST_K} elements in TensorRT, found k={k}", {"x": x})
    operation = trt.TopKOperation.MAX if largest else trt.TopKOperation.MIN
    shape = (*x.shape[:along], k, *x.shape[along + 1 :])
    given = {"k": k if isinstance(k, int) else 1, "axes": 1 << along}
    inputs = {} if isinstance(k, int) else {1: cast(size_tensor(x.network, k), dtypes.int32).reshape(())}
    lifted = x.unsqueeze(0) if x.ndim == 1 else x
    if lifted is not x:
        given["axes"], shape = 2, (1, *shape)
    values, indices = x.network.add(
        "topk", {"input": lifted, "op": operation} | given, inputs=inputs, dims=[shape, shape]
    )
    indices = cast(indices, dtypes.int64)
    return Ordered(values, indices) if lifted is x else Ordered(values.squeeze(0), indices.squeeze(0))


def sort(x: Tensor, dim: int = -1, descending: bool = False) -> Ordered:
    """(values, int64 indices) of all elements along `dim` in order; there are at most 3840. Layer: ITopKLayer."""
    return topk(x, x.shape[axis(x, dim, "sort")], dim, largest=descending)


def argsort(x: Tensor, dim: int = -1, descending: bool = False) -> Tensor:
    """The int64 indices that sort `x` along `dim`."""
    return sort(x, dim, descending)[1]
