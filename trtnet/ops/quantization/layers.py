"""TensorRT's layers of quantization: int8, float8 and 4-bit types beside a scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trtnet.graph import Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import axis as axis_of, network_of, tensor
from trtnet.support import dtypes
from trtnet.support.backend import supports
from trtnet.support.dtypes import DType, DTypeLike


def quantize(
    x: Tensor,
    scale: Operand,
    axis: int | None = None,
    dtype: DTypeLike = "int8",
    block_shape: Sequence[int] | None = None,
) -> Tensor:
    """``round(x / scale)``, halves to even, limited to the range of `dtype`.

    x: any shape, floating. scale: a constant of the dtype of `x`: one number, one for each slice of `axis`, or, with
    the rank of `x`, one for each block. dtype: "int8", "float8_e4m3fn" or "int4". block_shape: the size of a block
    along each axis, such as (1, 32), for int8 and float8; blocks of 4 bits are told by `axis` and a scale of the rank
    of `x`. Zero points are not supported by TensorRT. Returns the shape of `x`, in `dtype`.
    Layer: IQuantizeLayer.
    Raises LayerError for a scale or dtypes that TensorRT refuses.
    Source: TensorRT documentation, "Working with Quantized Types".
    """
    wanted = dtypes.get(dtype)
    arguments = {"input": x, "scale": _scale(x, scale, x.dtype), "output_type": wanted.trt}
    hint = f"quantize of {x.dtype} to {wanted}: TensorRT refused it"
    attributes = _blocks(x, arguments["scale"], axis, block_shape, "quantize")
    (y,) = x.network.add("quantize", arguments, attributes=attributes, hint=hint, dims=[x.shape])
    return y


def dequantize(
    x: Operand,
    scale: Operand,
    axis: int | None = None,
    dtype: DTypeLike | None = None,
    block_shape: Sequence[int] | None = None,
) -> Tensor:
    """``x * scale``.

    x: any shape, int8, float8_e4m3fn, int4 or float4_e2m1fn; it may be an array of weights. scale: as in quantize; of
    blocks also float8_e8m0fnu, or a tensor that is itself dequantized (NVFP4). axis, block_shape: as in quantize.
    dtype: the network's dtype by default. Returns the shape of `x`, in `dtype`, floating.
    Layer: IDequantizeLayer.
    Raises LayerError for a scale or dtypes that TensorRT refuses.
    Source: TensorRT documentation, "Working with Quantized Types".
    """
    x = tensor(x, network_of(x))
    wanted = x.network.dtype if dtype is None else dtypes.get(dtype)
    arguments = {"input": x, "scale": _scale(x, scale, wanted), "output_type": wanted.trt}
    hint = f"dequantize of {x.dtype} to {wanted}: TensorRT refused it"
    attributes = _blocks(x, arguments["scale"], axis, block_shape, "dequantize")
    (y,) = x.network.add("dequantize", arguments, attributes=attributes, hint=hint, dims=[x.shape])
    return y


def fake_quantize(
    x: Tensor,
    scale: Operand,
    axis: int | None = None,
    dtype: DTypeLike = "int8",
    block_shape: Sequence[int] | None = None,
) -> Tensor:
    """`x` quantized and dequantized, which TensorRT fuses into the layers around it.

    x: any shape, floating. scale, axis, dtype, block_shape: as in quantize. Returns the shape and dtype of `x`.
    Layer: IQuantizeLayer, then IDequantizeLayer.
    Raises LayerError for a scale or dtypes that TensorRT refuses.
    Source: TensorRT documentation, "Working with Quantized Types".
    """
    return dequantize(quantize(x, scale, axis, dtype, block_shape), scale, axis, x.dtype, block_shape)


def dynamic_quantize(
    x: Tensor,
    block_shape: Sequence[int],
    dtype: DTypeLike = "float8_e4m3fn",
    scale_dtype: DTypeLike = "float8_e8m0fnu",
    global_scale: Operand | None = None,
) -> tuple[Tensor, Tensor]:
    """`x` quantized with a scale for each block, measured at run time.

    x: any shape, floating. block_shape: the size of a block along each axis, such as (1, 32). float8_e4m3fn with
    float8_e8m0fnu scales is MXFP8 (blocks of 32); float4_e2m1fn with float8_e4m3fn scales and a global scale is NVFP4
    (blocks of 16). Returns (values of the shape of `x` in `dtype`, scales [size / block, ...] in scale_dtype).
    Layer: IDynamicQuantizeLayer.
    Raises LayerError where the backend quantizes along one axis only, and for dtypes that TensorRT refuses.
    Source: OCP Microscaling Formats (MX) specification, 1.0 (MXFP8).
    """
    kinds = {"output_type": dtypes.get(dtype).trt, "scale_type": dtypes.get(scale_dtype).trt}
    along = [(a, size) for a, size in enumerate(block_shape) if size > 1]
    block: dict[str, Any]
    if len(along) == 1:
        method, block = "dynamic_quantize", {"axis": along[0][0], "block_size": along[0][1]}
    elif supports("dynamic_quantize_v2"):
        method, block = "dynamic_quantize_v2", {"block_shape": tuple(block_shape)}
    else:
        x.network.fail(f"this TensorRT quantizes along one axis, found blocks of {tuple(block_shape)}", {"x": x})
    inputs = {} if global_scale is None else {1: tensor(global_scale, x.network, dtypes.float32)}
    shape = tuple(size if n == 1 else size // n for size, n in zip(x.shape, block_shape, strict=True))
    values, scales = x.network.add(
        method, {"input": x, **block, **kinds}, inputs=inputs, name="dynamic_quantize", dims=[x.shape, shape]
    )
    return values, scales


def rounded_scale(scale: np.ndarray[Any, Any], dtype: DType) -> np.ndarray[Any, Any]:
    """A scale in the dtype of the floats, or in float32 where that one would lose more than its rounding."""
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = scale.astype(dtype.numpy).astype(np.float32)
        exact = np.abs(rounded - scale.astype(np.float32)) <= dtype.eps * np.abs(scale.astype(np.float32))
    return scale.astype(dtype.numpy if exact.all() else np.float32)


def _scale(x: Tensor, scale: Operand, dtype: dtypes.DType) -> Tensor:
    """A scale as TensorRT takes it: a tensor and powers of two as they are, else in the dtype of the floats."""
    if isinstance(scale, Tensor) or getattr(scale, "dtype", None) == dtypes.float8_e8m0fnu.numpy:
        return tensor(scale, x.network)
    return tensor(scale, x.network, dtype)


def _blocks(
    x: Tensor, scale: Tensor, axis: int | None, block_shape: Sequence[int] | None, operation: str
) -> dict[str, Any]:
    """The attributes of the layer that say what shares a scale. Raises LayerError where the backend has no blocks."""
    if block_shape is None:
        return {} if axis is None else {"axis": axis_of(x, axis, operation)}
    blocks, shown = tuple(block_shape), {"x": x, "scale": scale}
    if not supports("quantize_blocks"):
        x.network.fail(f"{operation}: this TensorRT does not have blocks along several axes, found {blocks}", shown)
    if len(blocks) != x.ndim:
        x.network.fail(f"{operation}: block_shape has a size for each axis, found {blocks}", shown)
    counts = (size if block == 1 else -(-size // block) for size, block in zip(x.shape, blocks, strict=True))
    if tuple(counts) != scale.shape:
        x.network.fail(f"{operation}: blocks {blocks} do not have this many scales", shown)
    return {"block_shape": blocks}
