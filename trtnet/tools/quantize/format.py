"""The compressed-tensors format of quantized weights: their tensors, and what config.json says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from trtnet.checkpoint.base import Array
from trtnet.checkpoint.quantized.scheme import WHOLE
from trtnet.checkpoint.quantized.tensor import QuantizedTensor
from trtnet.graph.quantized import QuantizedActivation
from trtnet.support import dtypes
from trtnet.support.dtypes import DType


@dataclass(frozen=True)
class Written:
    """A quantized weight. key: of it. inputs: the dtype of the inputs of its product, and their scale.

    input_block: how many columns of the inputs share a scale that is measured; input_scale is then that of the scales.
    """

    key: str
    weight: QuantizedTensor
    inputs: DType | None
    input_scale: float
    input_block: int = 0

    @property
    def module(self) -> str:
        """Its path; of torch's MultiheadAttention that of the attention, and "in_proj"."""
        return self.key.removesuffix("weight")[:-1]


def configuration(
    weights: Sequence[Written], activations: Mapping[str, QuantizedActivation] = MappingProxyType({})
) -> dict[str, Any]:
    """The quantization configuration of weights that are all quantized in one way, and of activations.

    That of ModelOpt where inputs have factors, which compressed-tensors does not know; its own otherwise.
    """
    first = weights[0]
    if any(each.weight.input_factor is not None for each in weights):
        found = {"quant_method": "modelopt", "quant_algo": _algorithm(first), "kv_cache_quant_algo": None}
        return found | ({"config_groups": _bare(activations)} if activations else {})
    sizes = {each.weight.blocks[-1] for each in weights} - {WHOLE, 1}  # a weight of one block has a whole one
    several = any(each.weight.scale.size > 1 for each in weights)
    group: dict[str, Any] = {**_numbers(dtypes.get(first.weight.values.dtype)), "dynamic": False}
    group |= (
        {"strategy": "group", "group_size": max(sizes)} if sizes else {"strategy": "channel" if several else "tensor"}
    )
    group |= _of_scales(first.weight)
    named = {"targets": [each.module for each in weights], "weights": group, "input_activations": _of_inputs(first)}
    return {
        "quant_method": "compressed-tensors", "quantization_status": "compressed", "format": _format(first.weight),
        "config_groups": {"group_0": named, **_bare(activations)}, "ignore": [],
    }  # fmt: skip


def _bare(activations: Mapping[str, QuantizedActivation]) -> dict[str, Any]:
    """The group of operations that have no weights of their own, none without such."""
    if not activations:
        return {}
    inputs = _numbers(next(iter(activations.values())).dtype) | {"strategy": "tensor", "dynamic": False}
    return {"group_1": {"targets": [*activations], "weights": None, "input_activations": inputs}}


def _numbers(dtype: DType) -> dict[str, Any]:
    return {"num_bits": dtype.bits, "type": "float" if dtype.is_floating else "int", "symmetric": True}


def _of_scales(weight: QuantizedTensor) -> dict[str, Any]:
    """What is said of scales that are no floats of 16 or 32 bits: those of MX formats and NVFP4."""
    if weight.outer_scale is not None:
        return {"strategy": "tensor_group", "scale_dtype": _FLOAT8, "zp_dtype": _FLOAT8}
    return {"scale_dtype": _EXPONENT, "zp_dtype": _EXPONENT} if _is_power(weight) else {}


def _of_inputs(written: Written) -> dict[str, Any] | None:
    if written.inputs is None:
        return None
    numbers = _numbers(written.inputs)
    if not written.input_block:
        return {**numbers, "strategy": "tensor", "dynamic": False}
    blocks = {**numbers, "group_size": written.input_block}
    if written.inputs.bits == 4:
        local = {"strategy": "tensor_group", "dynamic": "local", "observer": "static_minmax"}
        return {**blocks, **local, "scale_dtype": _FLOAT8, "zp_dtype": _FLOAT8}
    return {**blocks, "strategy": "group", "dynamic": True, "scale_dtype": _EXPONENT, "zp_dtype": _EXPONENT}


def _format(weight: QuantizedTensor) -> str:
    """compressed-tensors' name of it."""
    dtype = dtypes.get(weight.values.dtype)
    if dtype.name in _FORMATS:
        return _FORMATS[dtype.name]
    if dtype.bits == 4:
        return "mxfp4-pack-quantized" if _is_power(weight) else "nvfp4-pack-quantized"
    return "mxfp8-quantized" if _is_power(weight) else "float-quantized"


_FLOAT8, _EXPONENT = "torch.float8_e4m3fn", "torch.uint8"
_FORMATS = {"int4": "pack-quantized", "int8": "int-quantized"}


def _is_power(weight: QuantizedTensor) -> bool:
    return bool(weight.scale.dtype == dtypes.float8_e8m0fnu.numpy)


def _algorithm(first: Written) -> str:
    """ModelOpt's name of weights and inputs of 8 bits with factors of the inputs."""
    return "W8A8_SQ_PER_CHANNEL" if first.weight.values.dtype == np.int8 else "FP8"


def parts_of(written: Written) -> dict[str, Array]:
    """The tensors of a quantized weight."""
    stem, weight = written.key.removesuffix("weight"), written.weight
    parts = {f"{stem}weight_scale": _scale(weight)}
    if dtypes.get(weight.values.dtype) == dtypes.float4_e2m1fn:
        parts[f"{stem}weight_packed"] = _halves(weight.values)
    elif weight.bits == 4:
        parts[f"{stem}weight_packed"] = _words(weight.values.astype(np.int8))
        parts[f"{stem}weight_shape"] = np.array(weight.shape, np.int64)
    else:
        parts[f"{stem}weight"] = weight.values
    if weight.outer_scale is not None:
        assert weight.outer_divides  # as best() makes them
        parts[f"{stem}weight_global_scale"] = weight.outer_scale.reshape(1).astype(np.float32)
    if written.inputs is not None and not written.input_block:
        parts[f"{stem}input_scale"] = np.array([written.input_scale], np.float32)
    elif written.inputs is not None and written.inputs.bits == 4:
        parts[f"{stem}input_global_scale"] = np.array([1 / written.input_scale], np.float32)
    if weight.input_factor is not None:
        parts[f"{stem}pre_quant_scale"] = weight.input_factor
    return parts


def _scale(weight: QuantizedTensor) -> Array:
    """The scales as the file has them: exponents in bytes, those of NVFP4 as they are, others in float32."""
    if _is_power(weight):
        return weight.scale.view(np.uint8)
    scale = weight.scale if weight.outer_scale is not None else weight.scale.astype(np.float32)
    return scale.reshape(1) if scale.size == 1 else scale


def _halves(values: Array) -> Array:
    """Values of float4, two a byte along the columns, the first in the low half."""
    codes = values.view(np.uint8)
    return codes[:, 0::2] | codes[:, 1::2] << 4


def _words(values: Array) -> Array:
    """Signed values of 4 bits in 32-bit words along the columns, each plus 8, the first in the lowest bits."""
    codes = (values + 8).astype(np.uint8)
    padded = np.pad(codes, ((0, 0), (0, -codes.shape[1] % 8)))
    return np.ascontiguousarray(padded[:, 0::2] | padded[:, 1::2] << 4).view(dtypes.int32.numpy)
