"""Products with weights that a network holds quantized."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trtnet.graph import OpenNetwork, Parameter, Tensor
from trtnet.graph.memory.storage import fixed
from trtnet.graph.quantized import Array, QuantizedArrays, QuantizedParameter, ScaledNorm, Use
from trtnet.graph.shapes import constant
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import tensor
from trtnet.ops.elementwise.arithmetic import mul, sub
from trtnet.ops.indexing.gather import take
from trtnet.ops.quantization.layers import dequantize, fake_quantize, rounded_scale
from trtnet.ops.quantization.measured import dynamically_quantized
from trtnet.ops.quantization.scaling import divided, shifted
from trtnet.ops.reductions.reduce import sum
from trtnet.support import dtypes
from trtnet.support.dtypes import DType


def quantized(network: OpenNetwork, weight: Operand | None) -> QuantizedParameter | None:
    """What a weight is quantized to, None for floats: an operation that asks computes with it quantized."""
    if not isinstance(weight, Parameter) or not network.quantized.by_key:
        return None
    key = network.key(weight)
    found = network.quantized.take(key)
    if found is not None:
        network.folded.add(key)  # refit gives a name one array, and this one has values and scales
    return found


def watch(x: Tensor, weight: Operand, bias: Operand | None = None, axis: int = -1, groups: int = 1) -> None:
    """Notes what a weight is multiplied with, and what is added, where that is to be known."""
    watched = x.network.quantized.watched
    if watched is None or not isinstance(weight, Parameter):
        return
    added = "" if bias is None else x.network.key(bias) if isinstance(bias, Parameter) else None
    watched.uses.setdefault(x.network.key(weight), []).append(Use(x.fresh(), axis, added, groups))


def watch_table(network: OpenNetwork, weight: Operand) -> None:
    """Notes a weight whose rows are looked up, where that is to be known."""
    watched = network.quantized.watched
    if watched is not None and isinstance(weight, Parameter):
        watched.tables.add(network.key(weight))


def watch_norm(y: Tensor, weight: Operand | None, bias: Operand | None) -> Tensor:
    """Notes the result of a norm that has a weight, where that is to be known; gives it back."""
    watched = y.network.quantized.watched
    if watched is not None and isinstance(weight, Parameter) and (bias is None or isinstance(bias, Parameter)):
        added = y.network.key(bias) if isinstance(bias, Parameter) else ""
        watched.scaled.append(ScaledNorm(y.fresh(), y.network.key(weight), added))
    return y


def quantized_inputs(x: Tensor, found: QuantizedParameter) -> Tensor:
    """The inputs of a product as it takes them: quantized and dequantized, where the scheme says so."""
    if found.inputs is None:
        return x
    scale = np.array(found.input_scale, np.float32)
    if found.input_block:
        return dynamically_quantized(x, found.input_block, found.inputs, scale)
    return fake_quantize(x, _scale(x, scale, x.dtype), dtype=found.inputs)


def quantized_weight(network: OpenNetwork, weight: Parameter, found: QuantizedParameter) -> Tensor:
    """The whole float weight, dequantized: for operations other than a product with its rows. Of its shape."""
    arrays, shift = shifted(found.read(), weight.declared or network.dtype)
    y = _symmetric(network, weight, arrays)
    if arrays.correction is not None:
        rows, blocks = arrays.correction.shape
        grouped = y.reshape(rows, blocks, -1)
        offsets = constant(network, arrays.correction.astype(y.dtype.numpy)[..., None])
        y = sub(grouped, offsets).reshape(y.shape)
    if arrays.order is not None:
        y = take(y, constant(network, np.argsort(arrays.order)), y.ndim - 1)
    if shift is not None:
        y = mul(y, tensor(shift.reshape(-1, *(1,) * (y.ndim - 1)), network, y.dtype))
    return y if arrays.factor is None else mul(y, tensor(arrays.factor, network, y.dtype))


@dataclass(frozen=True)
class Kernel:
    """What ``(inputs @ weight.T - blocksum(inputs) @ correction.T) * factor`` is the product of.

    weight: [rows, columns]. correction: [rows, blocks], None without zero points. factor: [rows], None for one of 1.
    """

    weight: Tensor
    correction: Tensor | None
    factor: Tensor | None


def prepared(x: Tensor, weight: Parameter, found: QuantizedParameter) -> tuple[Tensor, Kernel]:
    """(the inputs of a product as it takes them, what it multiplies them with). x: [..., columns]."""
    arrays = found.read()
    if arrays.factor is not None:
        x = mul(x, tensor(arrays.factor, x.network, x.dtype))
    if arrays.order is not None:
        x = take(x, constant(x.network, arrays.order), x.ndim - 1)
    x = quantized_inputs(x, found)
    taken, factor = divided(arrays, found, x.dtype)
    made = _symmetric(x.network, weight, taken)
    return x, Kernel(made, _correction(x, taken), None if factor is None else _factor(x, factor))


def prepared_rows(x: Tensor, weight: Parameter, found: QuantizedParameter, rows: Array) -> Kernel:
    """The same of some rows of the weight, for inputs that are prepared."""
    arrays = found.read().rows(rows)
    taken, factor = divided(arrays, found, x.dtype)
    made = _dequantized(x.network, taken, weight.declared or x.network.dtype)
    return Kernel(made, _correction(x, taken), None if factor is None else _factor(x, factor))


def _factor(x: Tensor, factor: Array) -> Tensor:
    return _scale(x, factor, x.dtype)


def _correction(x: Tensor, arrays: QuantizedArrays) -> Tensor | None:
    return None if arrays.correction is None else constant(x.network, arrays.correction.astype(x.dtype.numpy))


def block_sums(x: Tensor, correction: Tensor) -> Tensor:
    """The sums of the blocks of columns that a correction has: [..., columns] -> [..., blocks]."""
    return sum(x.reshape(*x.shape[:-1], correction.shape[1], -1), -1)


def _symmetric(network: OpenNetwork, weight: Parameter, arrays: QuantizedArrays) -> Tensor:
    """Values times scales, dequantized once a network."""
    dtype = weight.declared or network.dtype
    key = ("quantized", weight, dtype, arrays.axis)
    if key not in network.cache:
        network.cache[key] = fixed(_dequantized(network, arrays, dtype), "a parameter")
    return network.cache[key]


def _dequantized(network: OpenNetwork, arrays: QuantizedArrays, dtype: DType) -> Tensor:
    (values,) = network.add("constant", {"shape": arrays.values.shape, "weights": network.weight(arrays.values)})
    if arrays.outer_scale is not None:
        outer = _scale(values, np.array(arrays.outer_scale, np.float32), dtype)
        scale = dequantize(constant(network, arrays.scale), outer, dtype=dtype)
    elif arrays.scale.dtype == dtypes.float8_e8m0fnu.numpy:
        scale = constant(network, arrays.scale)
    else:
        scale = _scale(values, arrays.scale, dtype)
    return dequantize(values, scale, arrays.axis, dtype, arrays.block_shape)


def _scale(x: Tensor, scale: Array, dtype: DType) -> Tensor:
    return constant(x.network, rounded_scale(scale, dtype))
