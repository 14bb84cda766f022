"""Families of layers: what a picture colours them by."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from trtnet.graph.layers.kinds import KINDS


@dataclass(frozen=True)
class Family:
    """name: as the legend says it. colour: ``#rrggbb``, for light and dark backgrounds.

    kinds: a regular expression for the types of engines' layers, which are no kinds of TensorRT's ``LayerType``.
    """

    name: str
    colour: str
    kinds: re.Pattern[str]


def _family(name: str, colour: str, kinds: str) -> Family:
    return Family(name, colour, re.compile(kinds, re.IGNORECASE))


FAMILIES = (
    _family("input, output", "#64748b", r"^(input|output)$"),
    _family("attention", "#c026d3", r"attention|mha|rotary|kv_cache|moe"),
    _family("quantization, cast", "#0d9488", r"quantize|^cast$|reformat"),
    _family("convolution", "#2563eb", r"conv"),
    _family("matrix product", "#7c3aed", r"matrix_multiply|matmul|gemm|einsum|fully_connected"),
    _family("normalization", "#16a34a", r"normalization|^scale$|^lrn$|norm"),
    _family("activation", "#ea580c", r"activation|relu|softmax|^unary$"),
    _family("pooling, reduction", "#be123c", r"pooling|reduce|topk|cumulative|nms|non_zero"),
    _family("elementwise", "#a16207", r"elementwise|pointwise|^select$|kgen|fusion"),
    _family(
        "shape, data movement", "#78716c",
        r"shuffle|slice|concat|gather|scatter|^shape$|squeeze|resize|padding|identity|constant|^fill$|one_hot|copy"
        r"|grid_sample|reverse|memcpy|move|transpose",
    ),
    _family("control flow", "#4d7c0f", r"loop|recurrence|iterator|trip_limit|condition|assertion"),
    _family("other", "#475569", r""),
)  # fmt: skip
"""A network's layer has the family of its kind; an engine's the first whose expression is found in its type."""


@lru_cache(maxsize=256)
def family(kind: str) -> Family:
    """The family of a network's kind of layer, or of an engine's type of layer."""
    if kind in KINDS:
        return next(one for one in FAMILIES if one.name == KINDS[kind].family)
    return next(one for one in FAMILIES if one.kinds.search(kind))
