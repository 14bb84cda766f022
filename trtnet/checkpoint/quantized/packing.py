"""Values of a few bits out of the words and bytes that files keep them in."""

from __future__ import annotations

import ml_dtypes
import numpy as np

from trtnet.checkpoint.base import Array


def from_words(packed: Array, bits: int, count: int) -> Array:
    """Unsigned values out of 32-bit words along the last axis, the first in the lowest bits, without gaps.

    packed: [..., words], int32. count: how many values there are; what remains of the last word is padding. Returns
    [..., count], uint8.
    """
    octets = np.ascontiguousarray(packed).astype("<i4", copy=False).view(np.uint8)
    if bits == 8:
        return octets[..., :count]
    if bits == 4:
        return nibbles(octets)[..., :count]
    stream = np.unpackbits(octets, axis=-1, bitorder="little")[..., : count * bits]
    digits = stream.reshape(*stream.shape[:-1], count, bits)
    return np.packbits(digits, axis=-1, bitorder="little")[..., 0]


def words_needed(bits: int, count: int) -> int:
    """How many 32-bit words so many values take."""
    return -(-count * bits // 32)


def nibbles(packed: Array) -> Array:
    """Unsigned values, two of each byte along the last axis, the low half first. Returns [..., 2 n], uint8."""
    return np.stack([packed & 0xF, packed >> 4], axis=-1).reshape(*packed.shape[:-1], -1)


def float4(packed: Array) -> Array:
    """float4_e2m1fn values, two of each byte along the last axis, the low half first."""
    return nibbles(packed.view(np.uint8)).view(ml_dtypes.float4_e2m1fn)


def signed4(codes: Array) -> Array:
    """Unsigned codes of 4 bits as two's complement, int8."""
    return ((codes ^ 8).astype(np.int8)) - np.int8(8)


def powers_of_two(codes: Array) -> Array:
    """Exponents of the E8M0 format as float8_e8m0fnu: 2 ** (code - 127)."""
    return codes.view(np.uint8).view(ml_dtypes.float8_e8m0fnu)
