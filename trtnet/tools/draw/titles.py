"""A layer in a few words: its kind, and the attributes that a reader looks for first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trtnet.tools.draw.drawing import times

Attributes = Mapping[str, Any]


def title(kind: str, attributes: Attributes) -> str:
    """``Conv 3×3 /2`` of a convolution, ``Sum`` of an elementwise layer; the kind in words of any other."""
    return TITLES[kind](attributes) if kind in TITLES else _words(kind)


def _words(kind: str) -> str:
    return kind.replace("_", " ").capitalize()


def _window(word: str, size: Sequence[int], attributes: Attributes) -> str:
    stride = attributes.get("stride_nd", ())
    parts = [word, times(size)]
    parts += [f"/{times(stride if len(set(stride)) > 1 else stride[:1])}"] if any(step != 1 for step in stride) else []
    return " ".join(parts)


def _convolution(attributes: Attributes) -> str:
    groups = attributes.get("num_groups", 1)
    word = "Conv" if groups == 1 else "Depthwise conv" if groups == attributes["num_output_maps"] else "Grouped conv"
    return _window(word, attributes["kernel_size_nd"], attributes)


def _deconvolution(attributes: Attributes) -> str:
    return _window("Transposed conv", attributes["kernel_size_nd"], attributes)


def _pooling(attributes: Attributes) -> str:
    return _window(f"{_words(attributes['type'])} pool", attributes["window_size_nd"], attributes)


def _by(attribute: str, before: str = "") -> Callable[[Attributes], str]:
    return lambda attributes: (
        f"{before} {_words(attributes[attribute]).lower()}" if before else _words(attributes[attribute])
    )


TITLES: dict[str, Callable[[Attributes], str]] = {
    "ACTIVATION": _by("type"),
    "CAST": _by("to_type", "Cast to"),
    "CONVOLUTION": _convolution,
    "CUMULATIVE": _by("op", "Cumulative"),
    "DECONVOLUTION": _deconvolution,
    "EINSUM": lambda attributes: f"Einsum {attributes['equation']}",
    "ELEMENTWISE": _by("op"),
    "FILL": _by("operation", "Fill"),
    "POOLING": _pooling,
    "REDUCE": _by("op", "Reduce"),
    "TOPK": _by("op", "Top-k"),
    "UNARY": _by("op"),
}
"""The kinds that say more than their names."""
