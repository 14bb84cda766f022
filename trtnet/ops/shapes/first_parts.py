"""The first element of an axis beside all of them: ``x - x[:, :1]``.

TensorRT-RTX 1.6.1 on an H200 reads such a slice as the whole tensor where it computes both in the kernel of a reduction
of another axis, in engines of fixed shapes: ``(x - x[:, :1]).mean(3)`` is 0. Slices that begin behind the first element
are right.
"""

from __future__ import annotations

import numpy as np

from trtnet.graph import Tensor
from trtnet.graph.shapes import constant
from trtnet.graph.sizes.dim import is_static
from trtnet.ops.shapes.moves import Part
from trtnet.support import backend


def gathered(x: Tensor, other: Tensor) -> Tensor:
    """`x` by IGatherLayer, if it is the first element of an axis of a tensor, which `other` has in whole; else `x`."""
    part = x.network.moves.get(x.trt)
    if not isinstance(part, Part) or backend.name() != "tensorrt_rtx" or not is_static((*x.shape, *other.shape)):
        return x
    if len(part.cuts) != 1 or x.ndim != other.ndim:
        return x
    ((along, cut),) = part.cuts.items()
    if (cut.start, cut.size) != (0, 1) or part.source.shape[along] != other.shape[along] or other.shape[along] == 1:
        return x
    index = constant(x.network, np.array([0], np.int32))
    arguments = {"input": part.source, "indices": index, "axis": along}
    (y,) = x.network.add("gather", arguments, name="slice", dims=[x.shape])
    return y
