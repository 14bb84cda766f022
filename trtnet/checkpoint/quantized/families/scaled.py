"""Weights of one element a value, int8 or float8, beside ``weight_scale``: what several formats share."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from trtnet.checkpoint.base import Array
from trtnet.checkpoint.quantized.configuration import Configuration
from trtnet.checkpoint.quantized.packing import float4, powers_of_two
from trtnet.checkpoint.quantized.parts import Parts
from trtnet.checkpoint.quantized.scheme import Scheme, blocks_of
from trtnet.checkpoint.quantized.tensor import QuantizedTensor
from trtnet.checkpoint.quantized.weight import QuantizedWeight
from trtnet.support import dtypes
from trtnet.support.dtypes import DType

AUXILIARY = (
    "weight", "weight_packed", "weight_scale", "weight_scale_2", "weight_global_scale", "weight_zero_point",
    "weight_shape", "weight_g_idx", "input_scale", "input_global_scale", "input_zero_point", "pre_quant_scale",
    "k_scale", "v_scale", "q_scale", "output_scale", "k_bias", "v_bias",
)  # fmt: skip
"""What a module has beside its bias, by the formats of ModelOpt and of compressed-tensors."""
INTO_FP8 = {"W4A8_NVFP4_FP8": "float8_e4m3fn", "W4A8_MXFP4_FP8": "float8_e4m3fn"}
"""Algorithms of ModelOpt with weights of 4 bits -> the dtype of the inputs, where that is not the weights'."""


def scaled(
    parts: Parts,
    config: Configuration,
    activations: str | None = None,
    dynamic: bool = False,
    block: tuple[int, ...] = (128, 128),
) -> QuantizedWeight:
    """A weight of int8 or float8 values, its scale one number, [N], [N, 1], or one for each block.

    activations, dynamic: of the inputs; by default what a scale of theirs says. block: of scales along two axes.
    Raises CheckpointError for scales that do not fit.
    """
    spec, scale = parts.spec("weight"), parts.spec("weight_scale")
    if scale.dtype != dtypes.uint8:
        parts.check("weight_scale")
    if len(spec.shape) < 2:
        raise parts.wrong(f"weight has rows and columns, found {list(spec.shape)}")
    shape = ranked(scale.shape, spec.shape)
    blocks = blocks_of(f"{parts.stem}weight", spec.shape, shape, block)
    # an E8M0 scale is stored as its exponent, and a scale of 16 bits says what the float model was
    exponents = scale.dtype == dtypes.uint8
    said = config.dtype or (dtypes.bfloat16 if exponents else dtypes.float32)
    dtype = scale.dtype if scale.dtype.bits == 16 else said

    def read() -> QuantizedTensor:
        stored = parts.read("weight_scale")
        stored = stored.view(dtypes.float8_e8m0fnu.numpy) if exponents else stored
        return QuantizedTensor(
            parts.read("weight"),
            stored.reshape(shape),
            blocks,
            dtype,
            zero_point=_zero_point(parts, shape),
            input_factor=parts.optional("pre_quant_scale"),
        )

    if activations is None:
        activations = spec.dtype.name if "input_scale" in parts else ""
    asymmetric = "weight_zero_point" in parts
    return beside(parts, spec.shape, Scheme(spec.dtype, 8, blocks, asymmetric, activations, dynamic), dtype, read)


def float4_weight(
    parts: Parts, stored: str, second: str, dtype: DType, activations: str, divides: bool = False
) -> QuantizedWeight:
    """A weight of float4 values, two a byte: NVFP4, blocks of 16 with float8 scales, or MXFP4, of 32 with exponents.

    stored: the name of the values, [..., columns / 2]. second: that of the scale of NVFP4's scales, by which they are
    multiplied, or, with divides, divided. activations: of the inputs; their scales are measured where that is float4.
    Raises CheckpointError for scales that do not fit.
    """
    spec = parts.check(stored, dtypes.uint8)
    scale = parts.check("weight_scale", dtypes.float8_e4m3fn, dtypes.uint8, dtypes.float8_e8m0fnu)
    if len(spec.shape) < 2:
        raise parts.wrong(f"{stored} has rows and columns, found {list(spec.shape)}")
    *outer, half = spec.shape
    shape = (*outer, 2 * half)
    nv = scale.dtype == dtypes.float8_e4m3fn
    blocks, wanted = blocks_of(f"{parts.stem}weight", shape, scale.shape), 16 if nv else 32
    blocks = (*blocks[:-1], blocks[-1] or shape[-1])
    if blocks[:-1] != (1,) * len(outer) or blocks[-1] != wanted:
        raise parts.wrong(f"weight {list(shape)} in blocks of {wanted} does not match scales {list(scale.shape)}")
    if nv and math.prod(parts.check(second).shape) not in (1, shape[0] if outer[1:] else 1):
        raise parts.wrong(f"{second} is one number, or one for each expert; found {list(parts.spec(second).shape)}")

    def read() -> QuantizedTensor:
        scales = parts.read("weight_scale")
        outer_scale = parts.read(second) if nv else None
        if outer_scale is not None and outer_scale.ndim:
            outer_scale = outer_scale.reshape(-1, *(1,) * (len(shape) - 1))
        return QuantizedTensor(
            float4(parts.read(stored)), scales if nv else powers_of_two(scales), blocks, dtype, 4,
            outer_scale=outer_scale, outer_divides=nv and divides, input_factor=parts.optional("pre_quant_scale"),
        )  # fmt: skip

    dynamic = activations == "float4_e2m1fn"
    return beside(parts, shape, Scheme(dtypes.float4_e2m1fn, 4, blocks, False, activations, dynamic), dtype, read)


def beside(
    parts: Parts, shape: tuple[int, ...], scheme: Scheme, dtype: DType, read: Callable[[], QuantizedTensor]
) -> QuantizedWeight:
    """The weight of a module, with what else the module has beside it."""
    has = "input_scale" in parts
    scale = (lambda: parts.number("input_scale")) if has else None
    stored = parts.optional("input_zero_point")
    offset = stored is not None and bool(np.any(stored))
    return QuantizedWeight(f"{parts.stem}weight", shape, scheme, dtype, parts.keys(AUXILIARY), read, scale, offset)


def ranked(scale: tuple[int, ...], weight: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of scales with the rank of the weight: missing axes are the last ones."""
    return (*scale, *(1,) * (len(weight) - len(scale)))


def _zero_point(parts: Parts, shape: tuple[int, ...]) -> Array | None:
    stored = parts.optional("weight_zero_point")
    if stored is None or not np.any(stored):
        return None
    if stored.size != math.prod(shape):
        raise parts.wrong(f"weight_zero_point {list(stored.shape)} does not fit scales {list(shape)}")
    return parts.whole("weight_zero_point", stored, 8).reshape(shape)
