"""Inputs of products whose scales are measured at run time, of blocks of columns."""

from __future__ import annotations

from trtnet.graph import Tensor
from trtnet.graph.quantized import Array
from trtnet.graph.shapes import constant
from trtnet.ops.quantization.layers import dequantize, dynamic_quantize
from trtnet.ops.shapes.shape import reshape
from trtnet.support import dtypes
from trtnet.support.dtypes import DType
from trtnet.support.text.counted import counted


def dynamically_quantized(x: Tensor, block: int, dtype: DType, scale: Array) -> Tensor:
    """`x` in blocks of the last axis, quantized and dequantized.

    x: [..., columns], floating; columns a multiple of `block`. dtype: float8_e4m3fn, whose scales are powers of two
    (MXFP8, blocks of 32), or float4_e2m1fn, whose scales are float8_e4m3fn times `scale` (NVFP4, blocks of 16).
    Returns the shape and dtype of `x`. Layer: IDynamicQuantizeLayer, IDequantizeLayer.
    Raises LayerError for columns that blocks do not divide.
    """
    columns = x.shape[-1]
    if not isinstance(columns, int) or columns % block:
        x.network.fail(
            f"inputs in blocks of {counted(block, 'column')}, whose scales are measured, have whole blocks", {"x": x}
        )
    x.network.loses_shapes = True  # TensorRT-RTX 1.7: "ScaleMode is illegal", where they are tried; it builds them
    flat = x if x.ndim == 2 else reshape(x, (-1, columns))
    y = _of_matrix(flat, block, dtype, scale)
    return y if flat is x else reshape(y, x.shape)


def _of_matrix(x: Tensor, block: int, dtype: DType, scale: Array) -> Tensor:
    shape = (*(1,) * (x.ndim - 1), block)
    if dtype == dtypes.float8_e4m3fn:
        values, scales = dynamic_quantize(x, shape, dtype)
    else:
        values, scales = dynamic_quantize(x, shape, dtype, "float8_e4m3fn", scale)
        scales = dequantize(scales, constant(x.network, scale), dtype=x.dtype)
    return dequantize(values, scales, dtype=x.dtype, block_shape=shape)
