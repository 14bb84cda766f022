"""The largest and the smallest, in order."""

from __future__ import annotations

from typing import NamedTuple

from trtnet.graph import Size, Tensor
from trtnet.graph.shapes import size_tensor
from trtnet.ops.arguments.operands import axis
from trtnet.ops.arguments.sizes import size_of
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.shapes.shape import reshape
from trtnet.support import dtypes
from trtnet.support.backend import trt
from trtnet.support.text.counted import counted

LARGEST_K = 3840
"""The most elements that TensorRT's ITopKLayer selects."""


class Ordered(NamedTuple):
    """What topk, sort, max and min give: elements, and the int64 indices at which they stand."""

    values: Tensor
    indices: Tensor


def topk(x: Tensor, k: Size, dim: int = -1, largest: bool = True, sorted: bool = True) -> Ordered:
    """The k largest or smallest elements along `dim`, in order, and their positions.

    x: [..., n, ...], floating, integer or bool. k: an int or a Dim, at most 3840. sorted: ignored, the result is always
    in order. Returns (values in the dtype of `x`, indices int64), both [..., k, ...].
    Layer: ITopKLayer; bool and uint8 are cast to int32 for it.
    Raises LayerError for a k above n or above 3840.
    """
    if x.ndim == 0:
        return Ordered(*(reshape(part, ()) for part in topk(reshape(x, (1,)), k, dim, largest)))
    if x.dtype in (dtypes.bool_, dtypes.uint8):
        found = topk(cast(x, dtypes.int32), k, dim, largest)
        return Ordered(cast(found.values, x.dtype), found.indices)
    along = axis(x, dim, "topk")
    k, size = size_of(x, k, "topk"), x.shape[along]
    if isinstance(k, int) and isinstance(size, int) and not 0 <= k <= size:
        x.network.fail(f"topk of k={counted(k, 'element')} along dim={dim}, which has {size}", {"x": x})
    if isinstance(k, int) and k > LARGEST_K:
        x.network.fail(f"topk takes at most {LARGEST_K} elements in TensorRT, found k={k}", {"x": x})
    return _topk(x, k, along, largest)


def _topk(x: Tensor, k: Size, along: int, largest: bool) -> Ordered:
    operation = trt.TopKOperation.MAX if largest else trt.TopKOperation.MIN
    shape = (*x.shape[:along], k, *x.shape[along + 1 :])
    if 0 in shape:
        nothing = x[(*(slice(None),) * along, slice(0, k))]
        return Ordered(nothing, cast(nothing, dtypes.int64))
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
