"""Weights of one element a value, int8 or float8, beside ``weight_scale``: what several formats share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from trtnet.checkpoint.base import Array
from trtnet.checkpoint.quantized.configuration import Configuration
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
    shape = ranked(scale.shape, spec.shape)
    blocks = blocks_of(f"{parts.stem}weight", spec.shape, shape, block)
    # an E8M0 scale is stored as its exponent, and a scale of 16 bits says what the float model was
    exponents = scale.dtype == dtypes.uint8
    dtype = dtypes.bfloat16 if exponents else scale.dtype if scale.dtype.bits == 16 else config.dtype or dtypes.float32

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


def beside(
    parts: Parts, shape: tuple[int, ...], scheme: Scheme, dtype: DType, read: Callable[[], QuantizedTensor]
) -> QuantizedWeight:
    """The weight of a module, with what else the module has beside it."""
    has = "input_scale" in parts
    scale = (lambda: parts.number("input_scale")) if has else None
    return QuantizedWeight(f"{parts.stem}weight", shape, scheme, dtype, parts.keys(AUXILIARY), read, scale)


def ranked(scale: tuple[int, ...], weight: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of scales with the rank of the weight: missing axes are the last ones."""
    return (*scale, *(1,) * (len(weight) - len(scale)))


def _zero_point(parts: Parts, shape: tuple[int, ...]) -> Array | None:
    stored = parts.optional("weight_zero_point")
    return None if stored is None or not np.any(stored) else stored.astype(np.int16).reshape(shape)
