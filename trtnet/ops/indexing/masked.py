"""Elements where a mask is true, in order."""

from __future__ import annotations

from typing import NoReturn

from trtnet.graph import Tensor
from trtnet.graph.shapes import size_tensor
from trtnet.graph.sizes.dim import numel
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import tensor
from trtnet.ops.elementwise.arithmetic import maximum, minimum, sub
from trtnet.ops.elementwise.comparison import where
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.indexing.gather import take
from trtnet.ops.reductions.cumulative import cumsum
from trtnet.ops.shapes.shape import flatten, reshape
from trtnet.ops.shapes.views import broadcast_tensors
from trtnet.support import dtypes


def masked_scatter(x: Tensor, mask: Operand, source: Operand) -> Tensor:
    """`x` with the elements of `source`, in order, where a mask is true.

    x: any shape and dtype. mask: bool, of a shape that broadcasts with that of `x`. source: of the dtype of `x`, of any
    shape, with as many elements as the mask has true ones, or more. An engine cannot check that: where there are fewer,
    the last one is repeated. Returns the broadcast shape, in the dtype of `x`.
    Layer: none, decomposed into ICumulativeLayer, IGatherLayer and ISelectLayer.
    Raises LayerError for a mask that is not bool, a source of another dtype, and one without elements.
    """
    chosen, given = tensor(mask, x.network), tensor(source, x.network)
    named = {"x": x, "mask": chosen, "source": given}
    if chosen.dtype != dtypes.bool_ or given.dtype != x.dtype:
        x.network.fail("masked_scatter takes a bool mask, and a source of the dtype of its input", named)
    count = numel(given.shape)
    if count == 0:
        x.network.fail("masked_scatter of a source without elements", named)
    whole, here = broadcast_tensors(x, chosen)
    order = sub(cumsum(cast(flatten(here), dtypes.int64), 0), 1)
    last = count - 1 if isinstance(count, int) else reshape(size_tensor(x.network, count - 1), ())
    places = maximum(minimum(order, last), 0)
    return where(here, reshape(take(flatten(given), places, 0), whole.shape), whole)


def masked_select(x: Tensor, mask: Tensor) -> NoReturn:
    """Not supported: the number of elements depends on the values of the mask.

    x: any shape and dtype. mask: bool. Returns nothing.
    Layer: none; ops.where, masked_fill or topk of the mask have known sizes, and ``x[mask]`` works where the backend
    has INonZeroLayer.
    Raises LayerError always, with the alternatives.
    """
    text = "masked_select has as many elements as the mask's values say; use where or masked_fill, topk of the mask"
    x.network.fail(f"{text}, or x[mask] where the backend has kernels for it", {"x": x, "mask": mask})
