"""A quantized weight of a checkpoint, before it is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from trtnet.checkpoint.quantized.scheme import Scheme
from trtnet.checkpoint.quantized.tensor import QuantizedTensor
from trtnet.support import dtypes
from trtnet.support.dtypes import DType

NVFP4_BLOCK = 16
"""Columns that share a scale in NVFP4."""
MX_BLOCK = 32
"""The same of the MX formats."""


@dataclass(frozen=True)
class QuantizedWeight:
    """A weight that a checkpoint holds quantized.

    key: of the float weight, as a model names it. shape: of the float weight. scheme: how it is quantized. dtype: of
    the float weight. parts: the keys that it is stored under. read: reads them. input_scale: reads the scale of the
    inputs of its product, a multiplier, where the file has one. input_offset: whether the inputs have zero points.
    """

    key: str
    shape: tuple[int, ...]
    scheme: Scheme
    dtype: DType
    parts: tuple[str, ...]
    read: Callable[[], QuantizedTensor] = field(repr=False)
    input_scale: Callable[[], float] | None = field(default=None, repr=False)
    input_offset: bool = False

    @property
    def input_block(self) -> int:
        """How many columns of the inputs share a scale that is measured at run time, where TensorRT can; 0 else.

        It can for NVFP4 and MXFP8, beside weights of the same.
        """
        scheme = self.scheme
        if not scheme.dynamic or scheme.activations != scheme.dtype.name:
            return 0
        is_nvfp4 = scheme.dtype == dtypes.float4_e2m1fn and scheme.blocks[-1] == NVFP4_BLOCK
        is_mxfp8 = scheme.dtype == dtypes.float8_e4m3fn and scheme.blocks[-1] == scheme.input_columns == MX_BLOCK
        return scheme.blocks[-1] if is_nvfp4 or is_mxfp8 else 0

    @property
    def inputs_problem(self) -> str:
        """Why a network cannot quantize the inputs as the scheme says, "" where it can."""
        if self.input_block:
            is_missing = self.input_block == NVFP4_BLOCK and self.input_scale is None
            return "and the file has no scale of their scales" if is_missing else ""
        if self.scheme.dynamic:
            return "with scales measured at run time"
        if self.scheme.activations not in ("int8", "float8_e4m3fn"):
            return "with scales of the file, which a network has of int8 and float8"
        if self.input_offset:
            return "with zero points, which TensorRT does not have"
        return "and the file has no input_scale" if self.input_scale is None else ""
