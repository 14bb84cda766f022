"""What a network holds quantized, as TensorRT can say it: weights, operands of attention and others, caches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from trtnet.support.dtypes import DType

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class QuantizedArrays:
    """``weight = values * scale - spread(correction)``, columns put back in order, times the factor of each.

    TensorRT knows no zero points but 0: the correction is what they, or offsets, add to each block of columns.

    values: [rows, ...] int8, float8, int4 or float4. scale: one number, one for each slice of `axis`, or one for each
    block, of the rank of the values. axis, block_shape: as ``ops.dequantize`` takes them. outer_scale: of the scales,
    None for none. correction: [rows, blocks] float32, or None. order: the places of the columns in the float weight,
    where they are sorted by blocks. factor: [columns], what the inputs of the product are multiplied by; or None.
    """

    values: Array
    scale: Array
    axis: int | None = None
    block_shape: tuple[int, ...] | None = None
    outer_scale: float | None = None
    correction: Array | None = None
    order: Array | None = None
    factor: Array | None = None

    def rows(self, chosen: Array) -> QuantizedArrays:
        """Those of some rows of a matrix."""
        scale, block = self.scale, self.block_shape
        if scale.ndim == 2 and block is not None and block[0] > 1:  # a row has the scales of its block
            scale, block = scale.repeat(block[0], 0)[: len(self.values)], (1, block[1])
        own = scale.ndim > 0 and len(scale) == len(self.values) and self.axis in (None, 0, 1)
        return replace(
            self,
            values=np.ascontiguousarray(self.values[chosen]),
            scale=np.ascontiguousarray(scale[chosen]) if own else scale,
            block_shape=block,
            correction=None if self.correction is None else np.ascontiguousarray(self.correction[chosen]),
        )


@dataclass(frozen=True)
class QuantizedParameter:
    """A parameter that is quantized in the network.

    scheme: in words. dtype: of the values. blocks: what shares a scale, by axis, 0 for a whole one. read: gives the
    arrays. inputs: the dtype that the inputs of its product are quantized to, None
    for floats; input_scale: their scale. input_block: how many columns of them share a scale that is measured at run
    time, 0 for none; of float4, input_scale is then that of the scales.
    """

    scheme: str
    dtype: DType
    blocks: tuple[int, ...]
    read: Callable[[], QuantizedArrays] = field(repr=False)
    inputs: DType | None = None
    input_scale: float = 1.0
    input_block: int = 0


ATTENTION_IN = "attention in "
"""What the words of a quantized attention begin with; its dtype follows."""


def attention_name(path: str) -> str:
    """What reports call the attention of the module at a path."""
    return f"{path} (attention)".strip()


@dataclass(frozen=True)
class QuantizedAttention:
    """Both products of an attention in 8 bits. dtype: of all four operands. The others: the scale of each.

    query: of queries that have the attention's own factor. probability: of what the softmax gives.
    """

    dtype: DType
    query: float
    key: float
    probability: float
    value: float

    def __str__(self) -> str:
        return f"{ATTENTION_IN}{self.dtype}"


CACHE_IN = "cache in "
"""What the words of a quantized cache begin with; its dtype follows."""


@dataclass(frozen=True)
class QuantizedCache:
    """A cache that a network takes and gives in 8 bits. dtype: of its values. scale: one number, or [heads], float32.

    output: the name of the output that is the next call's, "" for one by the cache's own name.
    """

    dtype: DType
    scale: Array
    output: str = ""

    @property
    def axis(self) -> int | None:
        """That of the heads, where each has a scale."""
        return 1 if self.scale.ndim else None

    def __str__(self) -> str:
        return f"{CACHE_IN}{self.dtype}, {'a scale a head' if self.scale.ndim else 'one scale'}"


SUM, CONCATENATION, NORM = "sum", "concatenation", "norm"
"""What quantized activations are of."""
ACTIVATION_IN = tuple(f"{kind} in " for kind in (SUM, CONCATENATION, NORM))
"""What the words of a quantized activation begin with; its dtype follows."""


@dataclass(frozen=True)
class QuantizedActivation:
    """Operands of an operation without a product in 8 bits. kind: of what; dtype: of the values; scale: of all of them.

    Of a sum the operand that no convolution makes, or the one that is made first; of the others all.
    """

    dtype: DType
    scale: float
    kind: str = ""

    def __str__(self) -> str:
        return f"{self.kind} in {self.dtype}"


@dataclass(frozen=True)
class HeldCache:
    """What is in 8 bits of a tensor of floats that was made of it. values: the tensor."""

    cache: QuantizedCache
    values: Any
