"""Elements chosen by positions in the flattened tensor, along one axis, or in sorted order."""

from __future__ import annotations

from typing import Any

import numpy as np

from trtnet.graph import Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import axis, common_type, ndim_of, network_of, tensor
from trtnet.ops.arguments.sizes import is_int
from trtnet.ops.elementwise.comparison import ge, gt
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.elementwise.logic import logical_not
from trtnet.ops.indexing.gather import gather
from trtnet.ops.indexing.index import getitem
from trtnet.ops.indexing.index_tensors import Places, places_of
from trtnet.ops.reductions.reduce import sum
from trtnet.ops.shapes.shape import flatten, unsqueeze
from trtnet.ops.shapes.views import broadcast_tensors
from trtnet.support import dtypes
from trtnet.support.text.counted import counted


def take(x: Tensor, index: Any) -> Tensor:
    """The elements at positions in the flattened `x`.

    x: any shape and dtype. index: any shape, integer; negative positions count from the end. Returns the shape of the
    index, in the dtype of `x`.
    Layer: IGatherLayer.
    Raises LayerError for a known index out of range.
    """
    return getitem(flatten(x), np.asarray(index) if is_int(index) else index)


def take_along_dim(x: Tensor, indices: Any, dim: int | None = None) -> Tensor:
    """The elements at the indices along an axis, with the other axes broadcast; without `dim`, of the flattened `x`.

    x: [..., n, ...], of any dtype. indices: integer, of the rank of `x`. Returns the broadcast shape, [..., indices,
    ...], in the dtype of `x`.
    Layer: IGatherLayer ELEMENT.
    Raises LayerError for indices of another rank.
    """
    if dim is None:
        flat = flatten(tensor(indices, x.network))
        return take_along_dim(flatten(x), flat, 0)
    along = axis(x, dim, "take_along_dim")
    known = Places.of(x, indices)
    if known is None or known.ndim != x.ndim:
        x.network.fail(f"take_along_dim takes indices of {counted(x.ndim, 'dimension')}", {"x": x})
    places = places_of(x, known, x.shape[along])
    others = [getitem(y, (*(slice(None),) * along, slice(0, 1))) for y in (x, places)]
    shape = broadcast_tensors(*others)[0].shape
    wide, chosen = (y.expand((*shape[:along], y.shape[along], *shape[along + 1 :])) for y in (x, places))
    return gather(wide, along, chosen)


def searchsorted(
    sorted_sequence: Operand,
    input: Operand,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:
    """The positions at which values would keep an ordered sequence in order, along its last axis.

    sorted_sequence: [n], or [..., n] with the leading sizes of the values. input: the values, [..., m], floating or
    integer. Before equal elements; after them with right=True or side="right". Each value is compared with the whole
    sequence, which takes the product of both sizes in memory. Returns the shape of `input`, int64, or int32 with
    out_int32.
    Layer: none, decomposed into IElementWiseLayer and IReduceLayer SUM.
    Raises LayerError for other shapes, and for another side.
    """
    network = network_of(sorted_sequence, input)
    kind = common_type("searchsorted", sorted_sequence, input)
    ordered, wanted = (tensor(given, network, kind) for given in (sorted_sequence, input))
    if side not in (None, "left", "right") or (side == "left" and right):
        network.fail(f"searchsorted: side is 'left' or 'right', found {side!r} with right={right}", {})
    if ordered.ndim != 1 and ordered.ndim != wanted.ndim:
        network.fail("searchsorted takes a vector, or as many dimensions as the values have", {"x": ordered})
    ordered = ordered if sorter is None else gather(ordered, -1, sorter)
    rows = ordered if ordered.ndim == 1 else unsqueeze(ordered, -2)
    passed = logical_not((gt if right or side == "right" else ge)(rows, unsqueeze(wanted, -1)))
    return cast(sum(cast(passed, dtypes.int64), -1), dtypes.int32 if out_int32 else dtypes.int64)


def bucketize(input: Operand, boundaries: Operand, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """The number of the bucket that each value falls into, between ordered boundaries.

    input: any shape, floating or integer. boundaries: [n]. right: a value equal to a boundary belongs to the next
    bucket. Returns the shape of `input`, int64, or int32 with out_int32.
    Layer: none, decomposed into IElementWiseLayer and IReduceLayer SUM.
    Raises LayerError for boundaries that are not a vector.
    """
    if ndim_of(boundaries) != 1:
        text = f"bucketize takes boundaries that are a vector, found {counted(ndim_of(boundaries), 'dimension')}"
        network_of(input, boundaries).fail(text, {"input": input})
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)
