"""FP8 in blocks, as DeepSeek and Qwen publish it: ``weight`` float8_e4m3fn [N, K] and ``weight_scale_inv``.

``weight_scale_inv`` [ceil(N / 128), ceil(K / 128)], float32 or bfloat16: despite its name the weight is values *times*
it.
Source: DeepSeek-V3, inference/kernel.py (weight_dequant).
"""

from __future__ import annotations

from collections.abc import Iterator

from trtnet.checkpoint.base import Checkpoint
from trtnet.checkpoint.quantized.configuration import Configuration
from trtnet.checkpoint.quantized.parts import Parts, modules
from trtnet.checkpoint.quantized.scheme import Scheme, blocks_of
from trtnet.checkpoint.quantized.tensor import QuantizedTensor
from trtnet.checkpoint.quantized.weight import QuantizedWeight
from trtnet.support import dtypes

NAME = "FP8 blocks"
METHODS = ("fp8",)
_PARTS = ("weight", "weight_scale_inv", "activation_scale", "input_scale")
_BLOCK = (128, 128)


def fits(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint has such weights."""
    return any("weight" in parts for parts in modules(checkpoint, "weight_scale_inv"))


def weights(checkpoint: Checkpoint, config: Configuration) -> Iterator[QuantizedWeight]:
    """Its quantized weights. Raises CheckpointError for scales that do not fit their weight."""
    for parts in modules(checkpoint, "weight_scale_inv"):
        yield _weight(parts, config)


def _weight(parts: Parts, config: Configuration) -> QuantizedWeight:
    spec, scale = parts.spec("weight"), parts.spec("weight_scale_inv")
    if spec.dtype != dtypes.float8_e4m3fn:
        raise parts.wrong(f"a weight with weight_scale_inv is float8_e4m3fn, found {spec.dtype}")
    shape = scale.shape or (1,)
    shape = (1, 1) if shape == (1,) else shape
    blocks = blocks_of(f"{parts.stem}weight", spec.shape, shape, _block(config))
    if blocks[0] == 1:
        raise parts.wrong(f"weight_scale_inv is of blocks along both axes, found {list(shape)} for {list(spec.shape)}")
    dtype = config.dtype or (scale.dtype if scale.dtype.bits == 16 else dtypes.bfloat16)

    def read() -> QuantizedTensor:
        return QuantizedTensor(parts.read("weight"), parts.read("weight_scale_inv").reshape(shape), blocks, dtype)

    scheme = Scheme(
        dtypes.float8_e4m3fn, 8, blocks, activations="float8_e4m3fn", dynamic="activation_scale" not in parts
    )
    return QuantizedWeight(f"{parts.stem}weight", spec.shape, scheme, dtype, parts.keys(_PARTS), read)


def _block(config: Configuration) -> tuple[int, int]:
    said = config.document.get("weight_block_size") or _BLOCK
    return int(said[0]), int(said[1])
