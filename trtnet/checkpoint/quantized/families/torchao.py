"""torchao's tensor subclasses, flattened into a safetensors file.

``MODULE._weight_qdata``, ``._weight_scale``, ``._weight_zero_point``; the header's metadata has, by the key of the
weight, its class and attributes as JSON.
Source: torchao, prototype/safetensors and quantization/quantize_/workflows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from trtnet.checkpoint.base import Array, Checkpoint
from trtnet.checkpoint.quantized.configuration import Configuration
from trtnet.checkpoint.quantized.packing import nibbles, signed4
from trtnet.checkpoint.quantized.parts import Parts
from trtnet.checkpoint.quantized.scheme import WHOLE, Blocks, Scheme
from trtnet.checkpoint.quantized.tensor import QuantizedTensor
from trtnet.checkpoint.quantized.weight import QuantizedWeight
from trtnet.support import dtypes, json_text
from trtnet.support.dtypes import DType
from trtnet.support.errors import CheckpointError

NAME = "torchao"
METHODS = ("torchao",)
_LIST = "tensor_names"
_PARTS = ("qdata", "scale", "zero_point", "act_pre_scale", "act_quant_scale", "act_quant_zero_point")
_FLOAT8 = (dtypes.float8_e4m3fn, dtypes.float8_e5m2)
_WHOLE_VALUES = ("Int8Tensor", "IntxUnpackedToInt8Tensor", "Float8Tensor")


def fits(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint has such weights: its metadata names their classes."""
    return _LIST in checkpoint.metadata and any(True for _ in _classes(checkpoint))


def metadata_of(checkpoint: Checkpoint) -> tuple[str, ...]:
    """The names of the metadata that say what is quantized."""
    named = _json(checkpoint, _LIST) if _LIST in checkpoint.metadata else ()
    return (_LIST, *map(str, named)) if isinstance(named, list) else ()


def weights(checkpoint: Checkpoint, config: Configuration) -> Iterator[QuantizedWeight]:
    """Its quantized weights. Raises CheckpointError for a class whose layout is a kernel's own."""
    for key, kind, attributes in _classes(checkpoint):
        module, _, name = key.rpartition(".")
        parts = Parts(checkpoint, f"{module}._{name}_")
        if kind in _WHOLE_VALUES:
            stored = _FLOAT8 if kind == "Float8Tensor" else (dtypes.int8,)
            yield _values(parts, key, attributes, stored)
        elif kind == "Int4Tensor":
            yield _int4(parts, key, attributes)
        else:
            raise parts.wrong(
                f"a {kind} is packed for a kernel; trtnet reads {', '.join((*_WHOLE_VALUES, 'Int4Tensor'))}."
                f" Quantize with torchao's plain packing format"
            )


def _classes(checkpoint: Checkpoint) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """(key, class, attributes) of the weights that are no plain tensors."""
    named = _json(checkpoint, _LIST)
    if not isinstance(named, list):
        raise CheckpointError(f"{checkpoint.name}: torchao's metadata {_LIST!r} is a list, found {named!r}")
    for key in named:
        about = _json(checkpoint, key)
        attributes = about.get("_data", {}) if isinstance(about, dict) else None
        if not isinstance(attributes, dict):
            raise CheckpointError(
                f"{checkpoint.name}: torchao's metadata of {key!r} has a class and attributes, found {about!r}"
            )
        if about.get("_type") != "Tensor":
            _check_parts(checkpoint, key, about.get("_tensor_data_names"))
            yield key, str(about.get("_type")), attributes


def _check_parts(checkpoint: Checkpoint, key: str, named: Any) -> None:
    """Raises CheckpointError where a part is missing that the metadata names."""
    module, _, name = key.rpartition(".")
    for part in named if isinstance(named, list) else ():
        Parts(checkpoint, f"{module}._{name}_").spec(str(part))


def _json(checkpoint: Checkpoint, key: str) -> Any:
    try:
        return json_text.loads(checkpoint.metadata[key])
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"{checkpoint.name}: torchao's metadata of {key!r} cannot be read: {error}") from error


def _values(parts: Parts, key: str, attributes: Mapping[str, Any], stored: tuple[DType, ...]) -> QuantizedWeight:
    spec = parts.check("qdata", *stored)
    parts.check("scale")
    dtype = _dtype(parts, attributes, parts.spec("scale").dtype)
    blocks = _blocks(parts, attributes, spec.shape)
    counts = tuple(1 if size == WHOLE else -(-n // size) for n, size in zip(spec.shape, blocks, strict=True))
    if np.prod(counts) != np.prod(parts.spec("scale").shape):
        raise parts.wrong(
            f"qdata {list(spec.shape)} in blocks {list(blocks)} does not match scales {list(parts.spec('scale').shape)}"
        )

    if "zero_point" in parts and np.prod(parts.spec("zero_point").shape) != np.prod(counts):
        raise parts.wrong(f"zero_point {list(parts.spec('zero_point').shape)} does not fit scales {list(counts)}")

    bits = _bits(parts, attributes)

    def read() -> QuantizedTensor:
        zero, values = parts.optional("zero_point"), parts.read("qdata")
        if bits < 8:
            parts.whole("qdata", values, bits)
        zero = None if zero is None or not np.any(zero) else parts.whole("zero_point", zero, bits).reshape(counts)
        return QuantizedTensor(
            values, parts.read("scale").reshape(counts), blocks, dtype, zero_point=zero, input_factor=_factor(parts)
        )

    inputs = spec.dtype.name if attributes.get("act_quant_kwargs") or attributes.get("activation_quantization") else ""
    kind = dtypes.int4 if bits <= 4 else spec.dtype
    measured = bool(inputs) and "act_quant_scale" not in parts
    zero = parts.optional("zero_point")  # a symmetric one is stored too
    scheme = Scheme(kind, bits, blocks, zero is not None and bool(np.any(zero)), inputs, measured)
    scale = (lambda: parts.number("act_quant_scale")) if "act_quant_scale" in parts else None
    offset = parts.optional("act_quant_zero_point")
    shifted = offset is not None and bool(np.any(offset))
    return QuantizedWeight(key, spec.shape, scheme, dtype, parts.keys(_PARTS), read, scale, shifted)


def _int4(parts: Parts, key: str, attributes: Mapping[str, Any]) -> QuantizedWeight:
    """values * scale + zero_point; scales [K / g, N] stand on their side."""
    *outer, half = parts.check("qdata", dtypes.int8, dtypes.uint8).shape
    shape, scale = (*outer, 2 * half), parts.check("scale")
    if len(shape) < 2 or parts.spec("zero_point").shape != scale.shape:
        raise parts.wrong(f"zero_point {list(parts.spec('zero_point').shape)} does not fit scales {list(scale.shape)}")
    blocks = _blocks(parts, attributes, shape)
    if scale.shape != (*shape[:-2], shape[-1] // (blocks[-1] or shape[-1]), shape[-2]):
        raise parts.wrong(
            f"qdata of {list(shape)} in blocks {list(blocks)} does not match scales {list(scale.shape)}:"
            f" they are [K / g, N]"
        )

    def read() -> QuantizedTensor:
        return QuantizedTensor(
            signed4(nibbles(parts.read("qdata").view(np.uint8))), parts.read("scale").swapaxes(-1, -2), blocks,
            scale.dtype, 4, -8, offset=-parts.read("zero_point").astype(np.float32).swapaxes(-1, -2),
            input_factor=_factor(parts),
        )  # fmt: skip

    scheme = Scheme(dtypes.int4, 4, blocks, zero_points=True)
    return QuantizedWeight(key, shape, scheme, scale.dtype, parts.keys(_PARTS), read)


def _factor(parts: Parts) -> Array | None:
    factor = parts.optional("act_pre_scale")
    return None if factor is None else factor.reshape(-1)


def _blocks(parts: Parts, attributes: Mapping[str, Any], shape: tuple[int, ...]) -> Blocks:
    said = attributes.get("block_size")
    if not isinstance(said, list) or len(said) != len(shape) or not all(isinstance(n, int) and n > 0 for n in said):
        raise parts.wrong(f"its block_size has a size for each axis of {list(shape)}, found {said!r}")
    return tuple(WHOLE if size >= n and n > 1 else size for size, n in zip(said, shape, strict=True))


def _dtype(parts: Parts, attributes: Mapping[str, Any], default: DType) -> DType:
    """The dtype of the float weight."""
    said = attributes.get("dtype")
    if said is None:
        return default
    name = said.get("_data") if isinstance(said, dict) else said
    known = {dtype.name: dtype for dtype in dtypes.TABLE if dtype.is_floating}
    if not isinstance(name, str) or name not in known:
        raise parts.wrong(f"its dtype is one of floats, found {said!r}")
    return known[name]


def _bits(parts: Parts, attributes: Mapping[str, Any]) -> int:
    """How many bits of the int8 values are used: 8 where nothing is said."""
    said = attributes.get("target_dtype")
    if said is None:
        return 8
    name = str(said.get("_data")) if isinstance(said, dict) else str(said)
    if name not in [f"int{bits}" for bits in range(1, 9)]:
        raise parts.wrong(f"its target_dtype is int1 to int8, found {said!r}")
    return int(name.removeprefix("int"))
