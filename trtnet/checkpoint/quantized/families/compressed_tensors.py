"""compressed-tensors, as llm-compressor writes it.

pack-quantized: ``weight_packed`` int32, dense bits along K, each value plus 2 ** (bits - 1); ``weight_scale``
[N, K / g], ``weight_shape``, ``weight_zero_point`` packed along N, ``weight_g_idx`` [K]. int-, float- and
naive-quantized: ``weight`` and ``weight_scale``; mxfp8-quantized has exponents as scales. nvfp4-pack-quantized:
``weight_packed`` uint8 [N, K / 2], ``weight_scale`` float8_e4m3fn, which is *divided* by ``weight_global_scale``.
mxfp4-pack-quantized: scales are exponents, 2 ** (code - 127).
Source: compressed-tensors, compressors/.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from trtnet.checkpoint.base import Array, Checkpoint
from trtnet.checkpoint.quantized.configuration import Configuration
from trtnet.checkpoint.quantized.families.scaled import beside, float4_weight, scaled
from trtnet.checkpoint.quantized.packing import from_words, words_needed
from trtnet.checkpoint.quantized.parts import Parts, modules
from trtnet.checkpoint.quantized.scheme import Scheme, blocks_of
from trtnet.checkpoint.quantized.tensor import QuantizedTensor
from trtnet.checkpoint.quantized.weight import QuantizedWeight
from trtnet.support import dtypes
from trtnet.support.errors import CheckpointError

NAME = "compressed-tensors"
METHODS = ("compressed-tensors",)
_VALUES = (dtypes.int8, dtypes.float8_e4m3fn)


def fits(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint has such weights."""
    return any(key.endswith("weight_packed") for key in checkpoint) or any(map(_is_plain, _plain(checkpoint)))


def weights(checkpoint: Checkpoint, config: Configuration) -> Iterator[QuantizedWeight]:
    """Its quantized weights. Raises CheckpointError for tensors that do not fit each other or the configuration."""
    for key in checkpoint:
        if key.endswith((".bitmask", ".meta")):
            raise CheckpointError(
                f"{checkpoint.name}: {key}: sparse weights (2 of 4) are not read. Decompress the model first"
            )
    activations, dynamic = _inputs(config)
    for parts in modules(checkpoint, "weight_packed"):
        packed = parts.spec("weight_packed").dtype
        yield _words(parts, config) if packed == dtypes.int32 else _float4(parts)
    structures = [group["block_structure"] for group in _groups(config, "weights") if group.get("block_structure")]
    block = tuple(map(int, structures[0])) if structures else (128, 128)
    for parts in filter(_is_plain, _plain(checkpoint)):
        yield scaled(parts, config, activations, dynamic, block)


def _plain(checkpoint: Checkpoint) -> Iterator[Parts]:
    return modules(checkpoint, "weight_scale")


def _is_plain(parts: Parts) -> bool:
    return "weight" in parts and parts.spec("weight").dtype in _VALUES


def _words(parts: Parts, config: Configuration) -> QuantizedWeight:
    shape = tuple(int(n) for n in parts.read("weight_shape"))
    words, scale = parts.spec("weight_packed").shape, parts.spec("weight_scale")
    fitting = [bits for bits in range(1, 9) if (*shape[:-1], words_needed(bits, shape[-1])) == words]
    said = {int(group["num_bits"]) for group in _groups(config, "weights") if "num_bits" in group}
    fitting = [bits for bits in fitting if not said or bits in said]
    if len(fitting) != 1:
        asked = f", and {config.where} says {sorted(said)} bits" if said else ""
        raise parts.wrong(f"weight_packed {list(words)} cannot hold a weight {list(shape)} of 1 to 8 bits{asked}")
    bits = fitting[0]
    blocks = blocks_of(f"{parts.stem}weight", shape, scale.shape)
    sizes = {group.get("group_size") for group in _groups(config, "weights")} - {None, -1}
    if blocks[0] not in (1, 0) or (sizes and blocks[1] not in (0, *sizes)):
        raise parts.wrong(
            f"weight {list(shape)} in blocks of {sizes or 'columns'} does not match scales {list(scale.shape)}"
        )

    def read() -> QuantizedTensor:
        codes = from_words(parts.read("weight_packed"), bits, shape[-1])
        half = np.int16(1 << (bits - 1))
        zero = _zero_point(parts, bits, scale.shape)
        zeros = half if zero is None else zero.astype(np.int16)
        return QuantizedTensor(
            codes, parts.read("weight_scale"), blocks, scale.dtype, bits, 0, np.broadcast_to(zeros, scale.shape),
            groups=_columns(parts, scale.shape[-1]),
        )  # fmt: skip

    activations, dynamic = _inputs(config)
    kind = dtypes.int4 if bits <= 4 else dtypes.int8
    scheme = Scheme(kind, bits, blocks, "weight_zero_point" in parts, activations or "", dynamic)
    return beside(parts, shape, scheme, scale.dtype, read)


def _zero_point(parts: Parts, bits: int, shape: tuple[int, ...]) -> Array | None:
    """Zero points as codes: packed along the rows, the last word padded; one a tensor is not packed."""
    stored = parts.optional("weight_zero_point")
    if stored is None:
        return None
    if stored.dtype != np.int32 or stored.shape == shape:
        return stored.astype(np.int16).reshape(shape) + np.int16(1 << (bits - 1))
    if stored.shape != (words_needed(bits, shape[0]), shape[1]):
        raise parts.wrong(f"weight_zero_point {list(stored.shape)} does not fit scales {list(shape)}")
    return from_words(np.ascontiguousarray(stored.T), bits, shape[0]).T


def _columns(parts: Parts, blocks: int) -> Array | None:
    """The block of each column, None where blocks are runs of columns; -1 says that none was chosen."""
    index = parts.optional("weight_g_idx")
    if index is None or -1 in index:
        return None
    if index.max() >= blocks:
        raise parts.wrong(f"weight_g_idx has the block {index.max()}, but there are {blocks}")
    return index.astype(np.int64)


def _float4(parts: Parts) -> QuantizedWeight:
    inputs = "float4_e2m1fn" if "input_global_scale" in parts else ""
    found = float4_weight(parts, "weight_packed", "weight_global_scale", dtypes.bfloat16, inputs, divides=True)
    return replace(found, input_scale=lambda: 1 / parts.number("input_global_scale")) if inputs else found


def _groups(config: Configuration, of: str) -> Iterator[Mapping[str, Any]]:
    groups = config.document.get("config_groups")
    for group in groups.values() if isinstance(groups, dict) else ():
        if isinstance(group, dict) and isinstance(group.get(of), dict):
            yield group[of]


def _inputs(config: Configuration) -> tuple[str | None, bool]:
    """(the dtype that the configuration says inputs have, None where it says nothing; whether scales are measured)."""
    kinds = {(group.get("type", "int"), bool(group.get("dynamic"))) for group in _groups(config, "input_activations")}
    if len(kinds) != 1:
        return None if kinds or not config.document else "", False
    ((kind, dynamic),) = kinds
    return "float8_e4m3fn" if kind == "float" else "int8", dynamic
