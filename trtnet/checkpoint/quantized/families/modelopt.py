"""NVIDIA ModelOpt's export for Hugging Face. All scales are multipliers.

FP8 and INT8: ``weight`` float8_e4m3fn or int8 [N, K], ``weight_scale`` one number or [N]. INT4 AWQ: ``weight`` uint8
[N / 2, K], two rows a byte, the even one in the low half, two's complement; ``weight_scale`` [N, K / g]. NVFP4:
``weight`` uint8 [N, K / 2], the even column in the low half; ``weight_scale`` float8_e4m3fn [N, K / 16], and
``weight_scale_2`` is the scale of these. In W4A8 ``weight_scale_2`` is that of the product in FP8, and no part of the
weight. MXFP8: ``weight_scale`` uint8 [N, K / 32], exponents; the inputs are in the same, measured at run time.
``input_scale``: of the inputs. ``pre_quant_scale`` [K]: the inputs are multiplied by it.
Source: Model-Optimizer, torch/export/quant_utils.py, torch/quantization/qtensor.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from trtnet.checkpoint.base import Checkpoint
from trtnet.checkpoint.quantized.configuration import Configuration
from trtnet.checkpoint.quantized.families.scaled import INTO_FP8, beside, float4_weight, scaled
from trtnet.checkpoint.quantized.packing import signed4
from trtnet.checkpoint.quantized.parts import Parts, modules
from trtnet.checkpoint.quantized.scheme import Scheme, blocks_of
from trtnet.checkpoint.quantized.tensor import QuantizedTensor
from trtnet.checkpoint.quantized.weight import MX_BLOCK, QuantizedWeight
from trtnet.support import dtypes

NAME = "ModelOpt"
METHODS = ("modelopt", "modelopt_fp4")
_STORED = {"FP4": dtypes.uint8, "FP8": dtypes.float8_e4m3fn, "W8A8": dtypes.int8, "W4A": dtypes.uint8}
"""What is in the name of an algorithm, the first that is -> the dtype that its weights are stored in."""
_QUANTIZED = (dtypes.uint8, dtypes.int8, dtypes.float8_e4m3fn)


def fits(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint has weights that no other format has: those in bytes."""
    return any(_is_quantized(parts) and parts.spec("weight").dtype == dtypes.uint8 for parts in _scaled(checkpoint))


def weights(checkpoint: Checkpoint, config: Configuration) -> Iterator[QuantizedWeight]:
    """Its quantized weights. Raises CheckpointError for tensors that do not fit each other."""
    for parts in _scaled(checkpoint):
        if not _is_quantized(parts):
            continue
        _check_stored(parts, config)
        if parts.spec("weight").dtype != dtypes.uint8:
            yield _mxfp8(parts, config) if config.document.get("quant_algo") == "MXFP8" else scaled(parts, config)
        elif parts.spec("weight_scale").dtype in (dtypes.float8_e4m3fn, dtypes.uint8):
            yield _float4(parts, config)
        else:
            yield _int4(parts, config)


def _scaled(checkpoint: Checkpoint) -> Iterator[Parts]:
    return modules(checkpoint, "weight_scale")


def _is_quantized(parts: Parts) -> bool:
    return "weight" in parts and parts.spec("weight").dtype in _QUANTIZED


def _check_stored(parts: Parts, config: Configuration) -> None:
    """Raises CheckpointError for a weight that is stored as that of another algorithm than the configuration's."""
    said, found = str(config.document.get("quant_algo", "")).upper(), parts.spec("weight").dtype
    wanted = next((dtype for name, dtype in _STORED.items() if name in said), found)
    if found != wanted:
        raise parts.wrong(f"weight is {found}, and {config.where} says {said}, whose weights are stored in {wanted}")


def _mxfp8(parts: Parts, config: Configuration) -> QuantizedWeight:
    """Weights in blocks of 32, and inputs, whose scales are measured at run time."""
    found = scaled(parts, config, "float8_e4m3fn", dynamic=True)
    return replace(found, scheme=replace(found.scheme, input_columns=MX_BLOCK))


def _int4(parts: Parts, config: Configuration) -> QuantizedWeight:
    half, columns = parts.check("weight", dtypes.uint8, rank=2).shape
    rows = 2 * half
    parts.check("weight_scale")
    blocks = blocks_of(f"{parts.stem}weight", (rows, columns), parts.spec("weight_scale").shape)
    said = config.number("group_size")
    if blocks[0] != 1 or (said and blocks[1] != said and not (blocks[1] == 0 and said >= columns)):
        found = list(parts.spec("weight_scale").shape)
        raise parts.wrong(f"weight [{rows}, {columns}] in blocks of {said or 'columns'} does not match scales {found}")
    dtype = config.dtype or dtypes.float32

    def read() -> QuantizedTensor:
        packed = parts.read("weight")
        codes = np.stack([packed & 0xF, packed >> 4], axis=1).reshape(rows, columns)
        return QuantizedTensor(
            signed4(codes),
            parts.read("weight_scale"),
            blocks,
            dtype,
            4,
            -8,
            input_factor=parts.optional("pre_quant_scale"),
        )

    into = "float8_e4m3fn" if "weight_scale_2" in parts else ""
    return beside(parts, (rows, columns), Scheme(dtypes.int4, 4, blocks, activations=into), dtype, read)


def _float4(parts: Parts, config: Configuration) -> QuantizedWeight:
    algorithm = str(config.document.get("quant_algo", ""))
    inputs = "" if "input_scale" not in parts else INTO_FP8.get(algorithm, "float4_e2m1fn")
    return float4_weight(parts, "weight", "weight_scale_2", config.dtype or dtypes.float32, inputs)
