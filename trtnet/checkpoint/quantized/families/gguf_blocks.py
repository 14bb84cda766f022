"""GGUF's blocks of llama.cpp: Q8_0, Q4_0, Q4_1, Q4_K, Q5_K and Q6_K.

A row is blocks of 32 values (Q8_0, Q4_0, Q4_1) or of 256 (the K ones), each with its scales in front of or behind its
values. The values of a K block have a scale for each 32 (Q6_K: 16), 6 bits (8) of its own times the block's float16;
Q4_1, Q4_K and Q5_K add or take off an offset.
Source: llama.cpp, ggml/src/ggml-common.h and ggml-quants.c.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from trtnet.checkpoint.base import Array, Checkpoint
from trtnet.checkpoint.quantized.configuration import Configuration
from trtnet.checkpoint.quantized.scheme import Scheme
from trtnet.checkpoint.quantized.tensor import QuantizedTensor
from trtnet.checkpoint.quantized.weight import QuantizedWeight
from trtnet.support import dtypes

NAME = "GGUF"
METHODS = ("gguf",)


@dataclass(frozen=True)
class Decoded:
    """Blocks taken apart. values: [blocks, size]. scale, offset: [blocks, size / group], float32."""

    values: Array
    scale: Array
    offset: Array | None = None


@dataclass(frozen=True)
class Kind:
    """A type of blocks. group: how many values share a scale. bytes: of a block. lowest: the lowest code."""

    size: int
    bytes: int
    group: int
    bits: int
    lowest: int
    decode: Callable[[Array], Decoded]
    has_offset: bool = False


def fits(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint has such weights."""
    return any(_kind(checkpoint, key) for key in checkpoint)


def weights(checkpoint: Checkpoint, config: Configuration) -> Iterator[QuantizedWeight]:
    """Its quantized weights, of the types that are known here; others are read as floats."""
    for key in checkpoint:
        if kind := _kind(checkpoint, key):
            yield _weight(checkpoint, key, kind)


def _kind(checkpoint: Checkpoint, key: str) -> Kind | None:
    return KINDS.get(checkpoint.block_type(key))


def _weight(checkpoint: Checkpoint, key: str, kind: Kind) -> QuantizedWeight:
    shape = checkpoint.info(key).shape
    blocks = (*(1,) * (len(shape) - 1), kind.group)

    def read() -> QuantizedTensor:
        found = kind.decode(checkpoint.blocks(key).reshape(-1, kind.bytes))
        grouped = (*shape[:-1], shape[-1] // kind.group)
        offset = None if found.offset is None else found.offset.reshape(grouped)
        return QuantizedTensor(
            found.values.reshape(shape), found.scale.reshape(grouped), blocks, dtypes.float32, kind.bits, kind.lowest,
            offset=offset,
        )  # fmt: skip

    scheme = Scheme(dtypes.int4 if kind.bits <= 4 else dtypes.int8, kind.bits, blocks, kind.has_offset)
    return QuantizedWeight(key, shape, scheme, dtypes.float32, (key,), read)


def _half(blocks: Array, at: int) -> Array:
    """The float16 at a byte of each block, [blocks, 1] float32."""
    return np.ascontiguousarray(blocks[:, at : at + 2]).view("<f2").astype(np.float32)


def _halves(packed: Array) -> Array:
    """[..., n] bytes as [..., 2 n] values: all low halves, then all high ones."""
    return np.concatenate([packed & 0xF, packed >> 4], axis=-1)


def _q8_0(blocks: Array) -> Decoded:
    return Decoded(blocks[:, 2:].view(np.int8), _half(blocks, 0))


def _q4_0(blocks: Array) -> Decoded:
    return Decoded(_halves(blocks[:, 2:]).astype(np.int8) - np.int8(8), _half(blocks, 0))


def _q4_1(blocks: Array) -> Decoded:
    return Decoded(_halves(blocks[:, 4:]), _half(blocks, 0), -_half(blocks, 2))


def _six_bits(packed: Array) -> tuple[Array, Array]:
    """(scales, minima) [blocks, 8] of the 12 bytes of Q4_K and Q5_K, 6 bits each, in float32."""
    low, middle, high = packed[:, :4], packed[:, 4:8], packed[:, 8:]
    scales = np.concatenate([low & 63, (high & 15) | ((low >> 6) << 4)], axis=1)
    minima = np.concatenate([middle & 63, (high >> 4) | ((middle >> 6) << 4)], axis=1)
    return scales.astype(np.float32), minima.astype(np.float32)


def _with_minima(blocks: Array, values: Array) -> Decoded:
    scales, minima = _six_bits(blocks[:, 4:16])
    return Decoded(values.reshape(len(blocks), 256), _half(blocks, 0) * scales, _half(blocks, 2) * minima)


def _q4_k(blocks: Array) -> Decoded:
    return _with_minima(blocks, _halves(blocks[:, 16:].reshape(-1, 4, 32)))


def _q5_k(blocks: Array) -> Decoded:
    low = _halves(blocks[:, 48:].reshape(-1, 4, 32)).reshape(-1, 8, 32)
    fifth = (blocks[:, 16:48, None] >> np.arange(8, dtype=np.uint8)) & 1
    return _with_minima(blocks, low | fifth.swapaxes(1, 2) << 4)


def _q6_k(blocks: Array) -> Decoded:
    low = _halves(blocks[:, :128].reshape(-1, 2, 64)).reshape(-1, 2, 4, 32)
    high = (blocks[:, 128:192].reshape(-1, 2, 1, 32) >> np.array([0, 2, 4, 6], np.uint8)[:, None]) & 3
    values = (low | high << 4).astype(np.int8) - np.int8(32)
    scales = blocks[:, 192:208].view(np.int8).astype(np.float32)
    return Decoded(values.reshape(len(blocks), 256), _half(blocks, 208) * scales)


KINDS = {
    "Q8_0": Kind(32, 34, 32, 8, -128, _q8_0),
    "Q4_0": Kind(32, 18, 32, 4, -8, _q4_0),
    "Q4_1": Kind(32, 20, 32, 4, 0, _q4_1, has_offset=True),
    "Q4_K": Kind(256, 144, 32, 4, 0, _q4_k, has_offset=True),
    "Q5_K": Kind(256, 176, 32, 5, 0, _q5_k, has_offset=True),
    "Q6_K": Kind(256, 210, 16, 6, -32, _q6_k),
}
"""The types of blocks by their names in the file."""
