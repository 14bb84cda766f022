"""A quantized weight in memory: its values, its scales, and what they stand for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trtnet.checkpoint.base import Array
from trtnet.checkpoint.quantized.scheme import WHOLE, Blocks
from trtnet.support import dtypes
from trtnet.support.dtypes import DType, DTypeLike


@dataclass(frozen=True)
class QuantizedTensor:
    """``(values - zero_point) * scale - offset``, element by element.

    values: [rows, columns] or more axes; int8 for integers, float8 or float4 else. lowest: the lowest code of integers,
    0 where they are unsigned, -8 of signed ones of 4 bits. bits: of one value. scale: one for each block, of the rank
    of the values, in the dtype of the file. blocks: the sizes of blocks. zero_point, offset: like scale, or None.
    outer_scale: the scale of the scales (NVFP4): they are multiplied by it, or, with outer_divides, divided.
    groups: the block of each column, where blocks are no runs of columns (GPTQ's act-order); None else. input_factor:
    [columns], what the inputs of the product were to be multiplied by (AWQ, SmoothQuant); it is part of the weight.
    dtype: of the float weight, as the library that made it gives it.
    """

    values: Array
    scale: Array
    blocks: Blocks
    dtype: DType
    bits: int = 8
    lowest: int = -128
    zero_point: Array | None = None
    offset: Array | None = None
    outer_scale: Array | None = None
    outer_divides: bool = False
    groups: Array | None = None
    input_factor: Array | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    def scales(self) -> Array:
        """What the values are multiplied by, block by block, in float32."""
        scale = self.scale.astype(np.float32)
        if self.outer_scale is None:
            return scale
        outer = self.outer_scale.astype(np.float32)
        return scale / outer if self.outer_divides else scale * outer

    def dequantize(self, dtype: DTypeLike | None = None) -> Array:
        """The float weight, computed in float32 and rounded once to `dtype`, by default its own."""
        weight = self.values.astype(np.float32)
        if self.zero_point is not None:
            weight -= self.spread(self.zero_point.astype(np.float32))
        weight *= self.spread(self.scales())
        if self.offset is not None:
            weight -= self.spread(self.offset.astype(np.float32))
        if self.input_factor is not None:
            weight *= self.input_factor.astype(np.float32)
        wanted = self.dtype if dtype is None else dtypes.get(dtype)
        with np.errstate(over="ignore"):
            return weight.astype(wanted.numpy)

    def spread(self, blocks: Array) -> Array:
        """What each block has, for each element."""
        if self.groups is not None:
            return np.take(blocks, self.groups, axis=-1)
        for axis, (size, block) in enumerate(zip(self.shape, self.blocks, strict=True)):
            if block != WHOLE and block != 1:
                blocks = np.repeat(blocks, block, axis)[(slice(None),) * axis + (slice(size),)]
        return blocks
