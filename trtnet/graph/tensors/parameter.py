"""Parameters and buffers: the weights of a model, with a tensor's operators and methods."""

from __future__ import annotations

from typing import Any

import numpy as np

from trtnet.graph.memory.weight import DeclaredWeight
from trtnet.graph.tensors.in_place import InPlace
from trtnet.graph.tensors.methods import Casts, Methods
from trtnet.graph.tensors.operators import Operators
from trtnet.graph.tensors.properties import Questions
from trtnet.graph.tensors.tensor import Tensor
from trtnet.support import dtypes
from trtnet.support.errors import ModelError
from trtnet.support.source import here
from trtnet.support.text.counted import an
from trtnet.support.text.did_you_mean import missing

OF_TENSORS = {name for kind in (Casts, Methods, Questions) for name in vars(kind) if not name.startswith("_")}


class Parameter(DeclaredWeight, InPlace, Operators[Tensor]):
    """A weight that the checkpoint fills: the path of attributes to it is its checkpoint key.

    shape: ints, or one tuple of them: Parameter(3, 4) is [3, 4]. dtype: None for the dtype that the network is defined
    with, or a name for a parameter that keeps its own, such as an int64 table. In ``forward`` it has a tensor's
    operators and methods: ``x + self.pos_embedding[:, : x.shape[1]]``.
    Weights: itself.
    Layer: a constant (IConstantLayer) where it is used as a tensor.
    Raises ModelError for a shape that is not sizes.
    """

    def __init__(self, *shape: int | tuple[int, ...], dtype: str | None = None) -> None:
        given: tuple[Any, ...] = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
        if not all(isinstance(size, int | np.integer) and size >= 0 for size in given):
            kind = type(self).__name__
            raise ModelError(here(f"{kind} takes sizes: {kind}(16), {kind}(3, 4)"))
        self.shape = tuple(map(int, given))
        self.declared = None if dtype is None else dtypes.get(dtype)

    def __getattr__(self, name: str) -> Any:
        if name not in OF_TENSORS and not (name.endswith("_") and not name.startswith("_")):
            raise missing(an(type(self).__name__), name, OF_TENSORS)
        return getattr(self._tensor(), name)


class Buffer(Parameter):
    """torch.nn.Buffer: a Parameter that training measures and does not learn, such as a running mean.

    shape, dtype: as those of Parameter, ints and a name: Buffer(3, 4) is [3, 4]. The checkpoint fills it in the same
    way.
    Weights: itself.
    Layer: a constant (IConstantLayer) where it is used as a tensor.
    Raises ModelError for a shape that is not sizes.
    """
