"""What each module is in sum: its layers' numbers, and what it is coloured by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from trtnet.tools.draw.drawing import INPUT, OUTPUT, Measurement
from trtnet.tools.draw.tree import LAYER, Group, Tree


@dataclass(frozen=True)
class Total:
    """layers: how many, without inputs and outputs. value: measured, None where nothing is known."""

    layers: int
    flops: int
    bytes: int
    weight_bytes: int
    value: float | None


def totals(tree: Tree) -> list[Total]:
    """Of each group, by index."""
    found: dict[int, Total] = {}
    for group in reversed(tree.groups):  # those inside come after those around them
        found[group.index] = _total(tree, group, found)
    return [found[index] for index in range(len(tree.groups))]


def _total(tree: Tree, group: Group, found: dict[int, Total]) -> Total:
    parts = [layer_total(tree, index) if kind == LAYER else found[index] for kind, index in group.items]
    return Total(
        layers=sum(part.layers for part in parts),
        flops=sum(part.flops for part in parts),
        bytes=sum(part.bytes for part in parts),
        weight_bytes=sum(part.weight_bytes for part in parts),
        value=_value(tree.drawing.measurement, group.path, [part.value for part in parts]),
    )


def layer_total(tree: Tree, index: int) -> Total:
    """Of one layer."""
    drawn = tree.drawing.layers[index]
    measured = tree.drawing.measurement
    value = measured.layers.get(index) if measured else None
    if value is None and measured and drawn.module != tree.homes[index]:
        value = measured.modules.get(drawn.module)  # it is drawn in its module's place
    return Total(drawn.kind not in (INPUT, OUTPUT), drawn.flops, drawn.bytes, drawn.weight_bytes, value)


def _value(measured: Measurement | None, path: str, parts: Sequence[float | None]) -> float | None:
    if measured is None:
        return None
    if path in measured.modules:
        return measured.modules[path]
    known = [part for part in parts if part is not None]
    if not known:
        return None
    return sum(known) if measured.adds_up else max(known, key=lambda value: (not isfinite(value), value))
