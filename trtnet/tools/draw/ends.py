"""Where the inputs and outputs of a network stand that has many of them, as one with a cache in each block."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile

from trtnet.tools.draw.drawing import INPUT, OUTPUT, Drawing, DrawnLayer

MANY = 12
"""More inputs and outputs than this make the first rank of a picture too wide to read."""


def settle_ends(drawing: Drawing) -> Drawing:
    """Puts each input into the only module that reads it, and each output into the one that makes it.

    A network with few of them keeps them outside of its modules.
    """
    if sum(map(_is_end, drawing.layers)) <= MANY:
        return drawing
    touching: dict[int, list[str]] = defaultdict(list)
    for drawn in drawing.layers:
        for tensor in () if _is_end(drawn) else (*drawn.inputs, *drawn.outputs):
            touching[tensor].append(drawn.module)
    layers = tuple(_settled(drawn, touching) if _is_end(drawn) else drawn for drawn in drawing.layers)
    return replace(drawing, layers=layers)


def _is_end(drawn: DrawnLayer) -> bool:
    return drawn.kind in (INPUT, OUTPUT)


def _settled(end: DrawnLayer, touching: dict[int, list[str]]) -> DrawnLayer:
    (tensor,) = (*end.inputs, *end.outputs)
    return replace(end, module=common_module(touching[tensor]))


def common_module(modules: Sequence[str]) -> str:
    """The innermost module that all of these are in: ``layer1.0`` of ``layer1.0.conv1`` and ``layer1.0.bn1``."""
    paths = [module.split(".") if module else [] for module in modules]
    return ".".join(parts[0] for parts in takewhile(lambda parts: len(set(parts)) == 1, zip(*paths, strict=False)))
