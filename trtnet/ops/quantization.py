"""Quantization: int8, float8 and 4-bit types beside a scale, as TensorRT computes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trtnet.graph import Tensor
from trtnet.graph.tensors.tensor import Operand
from trtnet.ops.arguments.operands import axis as axis_of, network_of, tensor
from trtnet.support import dtypes
from trtnet.support.backend import supports
from trtnet.support.dtypes import DTypeLike


def quantize(x: Tensor, scale: Operand, axis: int | None = None, dtype: DTypeLike = "int8") -> Tensor:
    """``round(x / scale)``, halves to even, kept within the range of `dtype` ("int8", "float8_e4m3fn", "int4").

    scale: one number; a number for each slice of `axis`; or, of the rank of `x`, one for each block. A constant of the
    dtype of `x`. There are no zero points: TensorRT takes none but 0. Layer: IQuantizeLayer.
    """
    wanted = dtypes.get(dtype)
    arguments = {"input": x, "scale": _scale(x, scale, x.dtype), "output_type": wanted.trt}
    hint = f"quantize of {x.dtype} to {wanted}: TensorRT refused it"
    attributes = {} if axis is None else {"axis": axis_of(x, axis, "quantize")}
    (y,) = x.network.add("quantize", arguments, attributes=attributes, hint=hint, dims=[x.shape])
    return y


def dequantize(x: Operand, scale: Operand, axis: int | None = None, dtype: DTypeLike | None = None) -> Tensor:
    """``x * scale`` in `dtype`, the network's by default; `x` may be an array of weights (int4 of ml_dtypes, too).

    scale, axis: as in quantize. Layer: IDequantizeLayer."""
    x = tensor(x, network_of(x))
    wanted = x.network.dtype if dtype is None else dtypes.get(dtype)
    arguments = {"input": x, "scale": _scale(x, scale, wanted), "output_type": wanted.trt}
    hint = f"dequantize of {x.dtype} to {wanted}: TensorRT refused it"
    attributes = {} if axis is None else {"axis": axis_of(x, axis, "dequantize")}
    (y,) = x.network.add("dequantize", arguments, attributes=attributes, hint=hint, dims=[x.shape])
    return y


def fake_quantize(x: Tensor, scale: Operand, axis: int | None = None, dtype: DTypeLike = "int8") -> Tensor:
    """`x` quantized and dequantized, which TensorRT fuses into the layers around it."""
    return dequantize(quantize(x, scale, axis, dtype), scale, axis, x.dtype)


def dynamic_quantize(
    x: Tensor,
    block_shape: Sequence[int],
    dtype: DTypeLike = "float8_e4m3fn",
    scale_dtype: DTypeLike = "float8_e8m0fnu",
    global_scale: Operand | None = None,
) -> tuple[Tensor, Tensor]:
    """(quantized values, scales): the scale of each block is measured while the engine runs.

    block_shape: the size of a block along each axis, such as (1, 32). float8_e4m3fn with float8_e8m0fnu scales is
    MXFP8 (blocks of 32); float4_e2m1fn with float8_e4m3fn scales and a global scale is NVFP4 (blocks of 16).
    Layer: IDynamicQuantizeLayer.
    """
    kinds = {"output_type": dtypes.get(dtype).trt, "scale_type": dtypes.get(scale_dtype).trt}
    block: dict[str, Any]
    if supports("dynamic_quantize_v2"):
        method, block = "dynamic_quantize_v2", {"block_shape": tuple(block_shape)}
    else:
        along = [(a, size) for a, size in enumerate(block_shape) if size > 1]
        if len(along) != 1:
            x.network.fail(f"this TensorRT quantizes along one axis, found blocks of {tuple(block_shape)}", {"x": x})
        method, block = "dynamic_quantize", {"axis": along[0][0], "block_size": along[0][1]}
    inputs = {} if global_scale is None else {1: tensor(global_scale, x.network, dtypes.float32)}
    shape = tuple(size // n for size, n in zip(x.shape, block_shape, strict=True))
    values, scales = x.network.add(
        method, {"input": x, **block, **kinds}, inputs=inputs, name="dynamic_quantize", dims=[x.shape, shape]
    )
    return values, scales


def _scale(x: Tensor, scale: Operand, dtype: dtypes.DType) -> Tensor:
    return tensor(scale, x.network, dtype)
