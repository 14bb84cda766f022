"""What one layer of an engine multiplies, as far as TensorRT's engine inspector says it.

A layer that is one product computes in the dtype of its operands. A fused one may convert them inside, which nobody
sees: where its operands are not those of one dtype, what it computes in is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from math import prod

from trtnet.support import dtypes
from trtnet.tools.inspect.engine import UNKNOWN, EngineLayer, EngineTensor

FLOATS = ("float32", "float16", "bfloat16")
QUANTIZED = ("int8", "float8_e4m3fn", "int4", "float4_e2m1fn")
_PRODUCT = re.compile(
    r"gemm|correlation|convolution|matmul|MatrixMultiply|Convolution|(?:Corr|Fc|Conv|Gemm|mha)(?=[A-Z_])"
)
"""In the type or the name of layers that multiply: gemm, CaskConvolution, __myl_CorrMulAdd, __myl_Fc."""
_ALONE = re.compile(r"^(gemm|correlation|convolution|MatrixMultiply|Cask\w*(Convolution|Gemm)\w*|\w*Convolution)$")
"""Types of layers that are a product, whose operands are what they multiply."""
_KERNEL = re.compile(r"_(e4m3|e5m2|i8|s8|u8|f16|bf16|tf32|f32)(e4m3|e5m2|i8|s8|u8|f16|bf16|tf32|f32)_")
"""In the name of a kernel of NVIDIA's: the types of its two operands, as sm80_xmma_gemm_f16f16_f16f32_f32."""
_NAMES = {
    "e4m3": "float8_e4m3fn", "e5m2": "float8_e5m2", "i8": "int8", "s8": "int8", "u8": "uint8", "f16": "float16",
    "bf16": "bfloat16", "tf32": "float32", "f32": "float32",
}  # fmt: skip


def count(tensor: EngineTensor) -> int:
    """Its elements; those of a dynamic axis are not counted."""
    return prod(size for size in tensor.shape if size >= 0)


def nbytes(constants: Iterable[EngineTensor]) -> int:
    """Of distinct constants; those of an unknown dtype are left out."""
    held = {x.name: dtypes.get(x.dtype).nbytes(count(x)) for x in constants if x.dtype != UNKNOWN}
    return sum(held.values())


def matrix(inspected: EngineLayer) -> EngineTensor | None:
    """The weight that a layer holds: its largest constant of two axes or more; None where it has none."""
    return max((x for x in inspected.constants if _is_matrix(x)), key=count, default=None)


def data(inspected: EngineLayer) -> tuple[EngineTensor, ...]:
    """What a layer reads that is computed, without single numbers."""
    return tuple(x for x in inspected.inputs if x.dtype in (*FLOATS, *QUANTIZED, UNKNOWN) and _axes(x))


def is_product(inspected: EngineLayer) -> bool:
    """Whether it multiplies matrices or convolves: by its type and name, or as it reads data and a quantized weight."""
    held = matrix(inspected)
    return bool(
        _PRODUCT.search(inspected.type)
        or _PRODUCT.search(inspected.name.rpartition("/")[2])
        or _KERNEL.search(inspected.tactic)
        or (held and held.dtype in QUANTIZED and data(inspected))
    )


def computed(inspected: EngineLayer, *, quantizes_inputs: bool, dequantized: Collection[str] = ()) -> str:
    """The dtype that a product multiplies in, "unknown" where the inspector does not tell.

    quantizes_inputs: whether the network quantizes what it multiplies, so that a fused kernel could do it inside.
    dequantized: the names of weights that other layers dequantize, which no kernel quantizes again.
    """
    kernel = _KERNEL.search(inspected.tactic)
    if kernel:
        found = [_NAMES[each] for each in kernel.groups()]
        return found[0] if found[0] == found[1] else f"{found[0]} x {found[1]}"
    held, read = matrix(inspected), {x.dtype for x in data(inspected)}
    if held is None:
        weights = {x.dtype for x in data(inspected) if x.name in dequantized}
        return weights.pop() if len(weights) == 1 else _of_two(inspected)
    if held.dtype in FLOATS:
        return held.dtype if held.dtype in read else UNKNOWN
    if held.dtype not in QUANTIZED:
        return UNKNOWN
    if held.dtype in read:
        return held.dtype
    narrow, wide = read & set(QUANTIZED), read & set(FLOATS)
    if len(narrow) == 1:
        return narrow.pop()
    converts = quantizes_inputs and not _ALONE.search(inspected.type)
    return wide.pop() if len(wide) == 1 and not narrow and UNKNOWN not in read and not converts else UNKNOWN


def _of_two(inspected: EngineLayer) -> str:
    """Of a product whose operands are both computed: their dtype, if they have one, or "unknown"."""
    read = {x.dtype for x in data(inspected)}
    return read.pop() if len(read) == 1 and len(data(inspected)) > 1 else UNKNOWN


def _is_matrix(tensor: EngineTensor) -> bool:
    return _axes(tensor) > 1 or tensor.name.endswith(" Weights")


def _axes(tensor: EngineTensor) -> int:
    return sum(size != 1 for size in tensor.shape)
