"""MXFP4 as gpt-oss publishes it: the experts' weights in ``*_blocks`` and ``*_scales``.

``NAME_blocks`` uint8 [experts, rows, K / 32, 16]: two values a byte, the low half first. ``NAME_scales`` uint8
[experts, rows, K / 32]: exponents, 2 ** (code - 127). The float weight is ``NAME``, [experts, K, rows], as the model
multiplies from the left; rows of gate and up alternate.
Source: transformers, integrations/mxfp4.py (convert_moe_packed_tensors).
"""

from __future__ import annotations

from collections.abc import Iterator

from trtnet.checkpoint.base import Checkpoint
from trtnet.checkpoint.quantized.configuration import Configuration
from trtnet.checkpoint.quantized.packing import float4, powers_of_two
from trtnet.checkpoint.quantized.parts import Parts
from trtnet.checkpoint.quantized.scheme import Scheme
from trtnet.checkpoint.quantized.tensor import QuantizedTensor
from trtnet.checkpoint.quantized.weight import QuantizedWeight
from trtnet.support import dtypes

NAME = "gpt-oss MXFP4"
METHODS = ("mxfp4",)
_BLOCK = 32


def fits(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint has such weights."""
    return any(f"{parts.stem}scales" in checkpoint for parts in _packed(checkpoint))


def weights(checkpoint: Checkpoint, config: Configuration) -> Iterator[QuantizedWeight]:
    """Its quantized weights. Raises CheckpointError for scales that do not fit their weight."""
    for parts in _packed(checkpoint):
        yield _weight(parts, config)


def _packed(checkpoint: Checkpoint) -> Iterator[Parts]:
    for key in checkpoint:
        if key.endswith("_blocks"):
            yield Parts(checkpoint, key.removesuffix("blocks"))


def _weight(parts: Parts, config: Configuration) -> QuantizedWeight:
    packed, scales = parts.check("blocks", dtypes.uint8), parts.check("scales", dtypes.uint8, dtypes.float8_e8m0fnu)
    if packed.shape[:-1] != scales.shape or packed.shape[-1:] != (_BLOCK // 2,) or len(scales.shape) != 3:
        raise parts.wrong(
            f"blocks {list(packed.shape)} are [experts, rows, K / 32, 16], scales {list(scales.shape)} beside them"
        )
    experts, rows, groups = scales.shape
    blocks, dtype = (1, _BLOCK, 1), config.dtype or dtypes.bfloat16

    def read() -> QuantizedTensor:
        values = float4(parts.read("blocks")).reshape(experts, rows, groups * _BLOCK)
        scale = powers_of_two(parts.read("scales"))
        return QuantizedTensor(values.swapaxes(1, 2), scale.swapaxes(1, 2), blocks, dtype)

    scheme = Scheme(dtypes.float4_e2m1fn, 4, blocks)
    key = parts.stem.removesuffix("_")
    return QuantizedWeight(key, (experts, groups * _BLOCK, rows), scheme, dtype, parts.keys(("blocks", "scales")), read)
