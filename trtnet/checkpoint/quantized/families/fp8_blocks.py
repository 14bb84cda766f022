"""FP8 in blocks, as DeepSeek and Qwen publish it: ``weight`` float8_e4m3fn [N, K] and ``weight_scale_inv``.

Without blocks, as AutoFP8 writes it: ``weight_scale`` and ``input_scale``, one number each.

``weight_scale_inv`` [ceil(N / 128), ceil(K / 128)], float32 or bfloat16: despite its name the weight is values *times*
it.
Source: DeepSeek-V3, inference/kernel.py (weight_dequant).
"""

from __future__ import annotations

from collections.abc import Iterator

from trtnet.checkpoint.base import Checkpoint
from trtnet.checkpoint.quantized.configuration import Configuration
from trtnet.checkpoint.quantized.families.scaled import scaled
from trtnet.checkpoint.quantized.parts import Parts, modules
from trtnet.checkpoint.quantized.scheme import Scheme, blocks_of
from trtnet.checkpoint.quantized.tensor import QuantizedTensor
from trtnet.checkpoint.quantized.weight import QuantizedWeight
from trtnet.support import dtypes
from trtnet.support.errors import CheckpointError

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
    for parts in modules(checkpoint, "weight_scale"):
        if "weight" in parts and parts.spec("weight").dtype == dtypes.float8_e4m3fn:
            dynamic = "input_scale" not in parts
            yield scaled(parts, config, dtypes.float8_e4m3fn.name, dynamic, _block(config) or _BLOCK)


def _weight(parts: Parts, config: Configuration) -> QuantizedWeight:
    spec, scale = parts.spec("weight"), parts.check("weight_scale_inv")
    if spec.dtype != dtypes.float8_e4m3fn:
        raise parts.wrong(f"a weight with weight_scale_inv is float8_e4m3fn, found {spec.dtype}")
    block, one = _block(config), scale.shape in ((), (1,))
    shape = (1, 1) if one else scale.shape
    if block is not None or not one:
        sizes = block or _BLOCK
        wanted = tuple(-(-size // n) for size, n in zip(spec.shape, sizes, strict=False))
        if len(spec.shape) != 2 or shape != wanted:
            raise parts.wrong(
                f"weight {list(spec.shape)} has scales {list(scale.shape)}, which match no blocks of"
                f" {' x '.join(map(str, sizes))}: {list(wanted)} do. They may be transposed, or of another weight"
            )
    blocks = blocks_of(f"{parts.stem}weight", spec.shape, shape, block or _BLOCK)
    dtype = config.dtype or (scale.dtype if scale.dtype.bits == 16 else dtypes.bfloat16)

    def read() -> QuantizedTensor:
        return QuantizedTensor(parts.read("weight"), parts.read("weight_scale_inv").reshape(shape), blocks, dtype)

    static = next((name for name in ("activation_scale", "input_scale") if name in parts), None)
    scheme = Scheme(dtypes.float8_e4m3fn, 8, blocks, activations="float8_e4m3fn", dynamic=static is None)
    scale_of_inputs = None if static is None else lambda: parts.number(static)
    key = f"{parts.stem}weight"
    return QuantizedWeight(key, spec.shape, scheme, dtype, parts.keys(_PARTS), read, scale_of_inputs)


def _block(config: Configuration) -> tuple[int, int] | None:
    """The sizes of blocks that the configuration says, None where it says none. Raises CheckpointError for others."""
    said = config.document.get("weight_block_size")
    if said is None:
        return None
    if not isinstance(said, list) or len(said) != 2 or not all(type(n) is int and n > 0 for n in said):
        raise CheckpointError(f"{config.where}: weight_block_size is rows and columns, found {said!r}")
    return said[0], said[1]
