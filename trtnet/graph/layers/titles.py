"""A layer in a few words: its kind, and the attributes that a reader looks for first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Attributes = Mapping[str, Any]
TitleRule = Callable[[Attributes], str]


def times(sizes: Iterable[object]) -> str:
    """``3×3``"""
    return "\N{MULTIPLICATION SIGN}".join(map(str, sizes))


def words(name: str) -> str:
    """A name of TensorRT's in words: ``KV_CACHE_UPDATE`` -> ``Kv cache update``."""
    return name.replace("_", " ").capitalize()


def by(attribute: str, before: str = "") -> TitleRule:
    """The value of an attribute in words: ``Sum``, and with `before` ``Reduce sum``."""
    return lambda attributes: (
        f"{before} {words(attributes[attribute]).lower()}" if before else words(attributes[attribute])
    )


def einsum(attributes: Attributes) -> str:
    """``Einsum ij,jk->ik``"""
    return f"Einsum {attributes['equation']}"


def convolution(attributes: Attributes) -> str:
    """``Conv 3×3 /2``"""
    groups = attributes.get("num_groups", 1)
    word = "Conv" if groups == 1 else "Depthwise conv" if groups == attributes["num_output_maps"] else "Grouped conv"
    return _window(word, attributes["kernel_size_nd"], attributes)


def deconvolution(attributes: Attributes) -> str:
    """``Transposed conv 2×2 /2``"""
    return _window("Transposed conv", attributes["kernel_size_nd"], attributes)


def pooling(attributes: Attributes) -> str:
    """``Max pool 3×3 /2``"""
    return _window(f"{words(attributes['type'])} pool", attributes["window_size_nd"], attributes)


def _window(word: str, size: Sequence[int], attributes: Attributes) -> str:
    stride = attributes.get("stride_nd", ())
    parts = [word, times(size)]
    parts += [f"/{times(stride if len(set(stride)) > 1 else stride[:1])}"] if any(step != 1 for step in stride) else []
    return " ".join(parts)
