"""compressed-tensors, as llm-compressor writes it.

pack-quantized: ``weight_packed`` int32, dense bits along K, each value plus 2 ** (bits - 1); ``weight_scale``
[N, K / g], ``weight_shape``, ``weight_zero_point`` packed along N, ``weight_g_idx`` [K]. int-, float- and
naive-quantized: ``weight`` and ``weight_scale``; mxfp8-quantized has exponents as scales. nvfp4-pack-quantized:
``weight_packed`` uint8 [N, K / 2], ``weight_scale`` float8_e4m3fn, which is *divided* by ``weight_global_scale``.
mxfp4-pack-quantized: scales are exponents, 2 ** (code - 127). Integers of fewer than 8 bits may be stored in int8.
Source: compressed-tensors, compressors/.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from trtnet.checkpoint.base import Array, Checkpoint
from trtnet.checkpoint.quantized.configuration import Configuration
from trtnet.checkpoint.quantized.families.scaled import beside, float4_weight, scaled
from trtnet.checkpoint.quantized.groups import Group, group_of, groups_of
from trtnet.checkpoint.quantized.packing import from_words, words_needed
from trtnet.checkpoint.quantized.parts import Parts, modules
from trtnet.checkpoint.quantized.scheme import Scheme, blocks_of, described
from trtnet.checkpoint.quantized.tensor import QuantizedTensor
from trtnet.checkpoint.quantized.weight import QuantizedWeight
from trtnet.support import dtypes
from trtnet.support.errors import CheckpointError
from trtnet.support.text.counted import counted

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
    groups = groups_of(config)
    for parts in modules(checkpoint, "weight_packed"):
        group = group_of(groups, parts.module)
        packed = parts.spec("weight_packed").dtype
        yield _words(parts, config, group) if packed == dtypes.int32 else _float4(parts, config, group)
    for parts in filter(_is_plain, _plain(checkpoint)):
        yield _values(parts, config, group_of(groups, parts.module))


def _plain(checkpoint: Checkpoint) -> Iterator[Parts]:
    return modules(checkpoint, "weight_scale")


def _is_plain(parts: Parts) -> bool:
    return "weight" in parts and parts.spec("weight").dtype in _VALUES


def _values(parts: Parts, config: Configuration, group: Group | None) -> QuantizedWeight:
    if group is None:
        return scaled(parts, config, None if config.document.get("config_groups") or not config.document else "")
    found = scaled(parts, config, group.inputs, group.dynamic, group.block or (128, 128))
    found = replace(found, scheme=replace(found.scheme, input_columns=group.columns))
    floats = found.scheme.dtype.is_floating
    kind = {"int": False, "float": True}.get(group.kind, floats)
    if kind != floats or (group.bits is not None and not (1 if not floats else 8) <= group.bits <= 8):
        raise parts.wrong(
            f"weight is {found.scheme.dtype}, and {config.where} says {counted(group.bits, 'bit')} of {group.kind}"
        )
    fitted = _fitting(parts, config, group, found)
    return (
        fitted if floats or group.bits in (None, 8) else replace(fitted, read=lambda: _few(parts, config, group, found))
    )


def _few(parts: Parts, config: Configuration, group: Group, weight: QuantizedWeight) -> QuantizedTensor:
    """Integers of fewer bits than they are stored in. Raises CheckpointError for larger ones."""
    found, half = weight.read(), 1 << (int(group.bits or 8) - 1)
    low, high = int(found.values.min(initial=0)), int(found.values.max(initial=0))
    if low < -half or high >= half:
        raise parts.wrong(
            f"its values are not of {counted(group.bits, 'bit')}, as {config.where} says: {low} to {high}"
        )
    return found


def _fitting(parts: Parts, config: Configuration, group: Group, found: QuantizedWeight) -> QuantizedWeight:
    """A weight that is what its group says. Raises CheckpointError for another one."""
    if not group.shares(found.scheme.blocks, found.shape):
        size = f" of {group.size}" if group.size else ""
        raise parts.wrong(
            f"weight {list(found.shape)} has {described(found.scheme.blocks)}, its scales are"
            f" {list(parts.spec('weight_scale').shape)}; {config.where} says the strategy {group.strategy}{size}, which"
            f" does not match scales of this shape"
        )
    if not group.symmetric and "weight_zero_point" not in parts:
        raise parts.wrong(f"weight_zero_point is missing, and {config.where} says that weights are not symmetric")
    return replace(found, input_offset=found.input_offset or group.offset)


def _shape(parts: Parts) -> tuple[int, ...]:
    """That of the weight, which a tensor says."""
    said = parts.read("weight_shape")
    if said.ndim != 1 or said.size < 2 or said.dtype.kind not in "iu" or (said < 1).any():
        raise parts.wrong(f"weight_shape is the sizes of rows and columns, found {said.tolist()}")
    return tuple(int(n) for n in said)


def _words(parts: Parts, config: Configuration, group: Group | None) -> QuantizedWeight:
    shape = _shape(parts)
    words, scale = parts.spec("weight_packed").shape, parts.check("weight_scale")
    fitting = [bits for bits in range(1, 9) if (*shape[:-1], words_needed(bits, shape[-1])) == words]
    said = None if group is None else group.bits
    fitting = [bits for bits in fitting if said in (None, bits)]
    if len(fitting) != 1:
        asked = "" if said is None else f", and {config.where} says {counted(said, 'bit')}"
        raise parts.wrong(f"weight_packed {list(words)} cannot hold a weight {list(shape)} of 1 to 8 bits{asked}")
    bits = fitting[0]
    blocks = blocks_of(f"{parts.stem}weight", shape, scale.shape)

    def read() -> QuantizedTensor:
        codes = from_words(parts.read("weight_packed"), bits, shape[-1])
        half = np.int16(1 << (bits - 1))
        zero = _zero_point(parts, bits, scale.shape)
        zeros = half if zero is None else zero.astype(np.int16)
        return QuantizedTensor(
            codes, parts.read("weight_scale"), blocks, scale.dtype, bits, 0, np.broadcast_to(zeros, scale.shape),
            groups=_columns(parts, scale.shape[-1], shape[-1]),
        )  # fmt: skip

    inputs, dynamic = ("", False) if group is None else (group.inputs, group.dynamic)
    kind = dtypes.int4 if bits <= 4 else dtypes.int8
    scheme = Scheme(kind, bits, blocks, "weight_zero_point" in parts, inputs, dynamic)
    found = beside(parts, shape, scheme, scale.dtype, read)
    return found if group is None else _fitting(parts, config, group, found)


def _zero_point(parts: Parts, bits: int, shape: tuple[int, ...]) -> Array | None:
    """Zero points as codes: packed along the rows, the last word padded; one a tensor is not packed."""
    stored = parts.optional("weight_zero_point")
    if stored is None:
        return None
    if stored.dtype != np.int32 or stored.shape == shape:
        if stored.size != math.prod(shape):
            raise parts.wrong(f"weight_zero_point {list(stored.shape)} does not fit scales {list(shape)}")
        return parts.whole("weight_zero_point", stored, bits).reshape(shape) + np.int16(1 << (bits - 1))
    if stored.shape != (words_needed(bits, shape[0]), shape[1]):
        raise parts.wrong(f"weight_zero_point {list(stored.shape)} does not fit scales {list(shape)}")
    return from_words(np.ascontiguousarray(stored.T), bits, shape[0]).T


def _columns(parts: Parts, blocks: int, columns: int) -> Array | None:
    """The block of each column, None where blocks are runs of columns; -1 says that none was chosen."""
    index = parts.optional("weight_g_idx")
    if index is None or -1 in index:
        return None
    if index.shape != (columns,):
        raise parts.wrong(
            f"weight_g_idx has a block for each of {counted(columns, 'column')}, found {list(index.shape)}"
        )
    if not 0 <= index.min() <= index.max() < blocks:
        raise parts.wrong(f"weight_g_idx has the blocks {index.min()} to {index.max()}, but there are {blocks}")
    if len(sizes := np.unique(np.bincount(index.astype(np.int64), minlength=blocks))) != 1:
        widest = counted(int(sizes[-1]), "column")
        raise parts.wrong(f"weight_g_idx has blocks of {sizes[0]} to {widest}; they have one size")
    return index.astype(np.int64)


def _float4(parts: Parts, config: Configuration, group: Group | None) -> QuantizedWeight:
    if group is not None and group.bits not in (None, 4):
        raise parts.wrong(
            f"{config.where} says {counted(group.bits, 'bit')} of {group.kind or 'floats'} in bytes; trtnet reads"
            f" those of 4 bits"
        )
    scaled_inputs = "input_global_scale" in parts
    inputs = group.inputs if group is not None else "float4_e2m1fn" if scaled_inputs else ""
    dtype = config.dtype or dtypes.bfloat16
    found = float4_weight(parts, "weight_packed", "weight_global_scale", dtype, inputs, divides=True)
    if group is not None:
        found = replace(found, scheme=replace(found.scheme, dynamic=found.scheme.dynamic or group.dynamic))
    return replace(found, input_scale=lambda: _reciprocal(parts, "input_global_scale")) if scaled_inputs else found


def _reciprocal(parts: Parts, name: str) -> float:
    """That of a number, infinite of 0."""
    number = parts.number(name)
    return 1 / number if number else math.inf
