"""A placed drawing as shapes on paper, for the writers of SVG and PNG."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from trtnet.tools.draw.drawing import Measurement
from trtnet.tools.draw.families import family
from trtnet.tools.draw.layout.placing import Box, Scene, subtitle
from trtnet.tools.draw.totals import layer_total, totals
from trtnet.tools.draw.tree import ENTRY, EXIT, GROUP, LAYER, Tree

INK, FAINT, LINE, PAPER, FRAME, BORDER = "#111827", "#5b6472", "#8b95a5", "#ffffff", "#f3f5f8", "#d5dae1"
MODULE, UNKNOWN = "#64748b", "#94a3b8"
RAMP = ("#2b6cb0", "#38a169", "#d69e2e", "#dd6b20", "#c53030")
TINT, MEASURED_TINT = 0.16, 0.52
MARGIN = 12


@dataclass(frozen=True)
class Rectangle:
    x: float
    y: float
    width: float
    height: float
    radius: float
    fill: str
    stroke: str


@dataclass(frozen=True)
class Line:
    """From one point down to another: straight to y0, a curve to y1, straight to the end; an arrow at either end.

    dashed: what goes up, to a layer that runs again or that stands above for others' sake."""

    x0: float
    start: float
    y0: float
    x1: float
    y1: float
    end: float
    arrow_start: bool = False
    arrow_end: bool = False
    dashed: bool = False


@dataclass(frozen=True)
class Words:
    """anchor: which part of the text is at x: start, middle or end. y: of the base line. size: in pixels.

    halo: whether it stands on lines, and hides them around it.
    """

    x: float
    y: float
    text: str
    size: float
    bold: bool = False
    faint: bool = False
    anchor: str = "start"
    halo: bool = False


Mark = Rectangle | Line | Words


@dataclass(frozen=True)
class Picture:
    """shapes: in the order of drawing. width, height: in pixels."""

    width: float
    height: float
    shapes: tuple[Mark, ...]


def picture(tree: Tree, scene: Scene) -> Picture:
    """Shapes, coloured by what was measured, else by the families of layers."""
    shapes = tuple(_Painter(tree, scene).scene(scene, MARGIN, MARGIN))
    return Picture(scene.width + 2 * MARGIN, scene.height + 2 * MARGIN, shapes)


def mixed(colour: str, share: float, ground: str) -> str:
    """A share of one colour on another, as ``color-mix(in srgb, ...)`` computes it."""
    parts = [(int(colour[i : i + 2], 16), int(ground[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(a * share + b * (1 - share)):02x}" for a, b in parts)


class _Painter:
    def __init__(self, tree: Tree, whole: Scene) -> None:
        self._tree = tree
        self._totals = totals(tree)
        measured = tree.drawing.measurement
        values = [self._value(box) for box in _closed(whole)]
        self._scale = Scale(measured, [x for x in values if x is not None]) if measured else None
        self._tint = MEASURED_TINT if measured else TINT

    def scene(self, scene: Scene, x: float, y: float) -> Iterator[Mark]:
        yield from self._lines(scene, x, y)
        for box in scene.boxes:
            if box.inside is not None:
                yield from self._open(box, box.inside, x + box.x, y + box.y)
            elif box.key[0] in (LAYER, GROUP):
                yield from self._node(box, x + box.x, y + box.y)
        yield from self._tensors(scene, x, y)

    def _lines(self, scene: Scene, x: float, y: float) -> Iterator[Line]:
        rows = _rows(scene)
        for one in scene.arrangement.segments:
            upper, lower = scene.boxes[one.upper], scene.boxes[one.lower]
            yield Line(
                x + _port(upper, EXIT, one.tensor), y + upper.y + upper.height, y + rows[one.upper][1],
                x + _port(lower, ENTRY, one.tensor), y + rows[one.lower][0], y + lower.y,
                arrow_start=one.upward and _is_closed(upper),
                arrow_end=not one.upward and _is_closed(lower),
                dashed=one.upward,
            )  # fmt: skip
        for box in scene.boxes:
            if box.key[0] == ENTRY:
                yield Line(x + box.x, y, y, x + box.x, y, y + box.y)

    def _open(self, box: Box, inside: Scene, x: float, y: float) -> Iterator[Mark]:
        group = inside.group
        yield Rectangle(x, y, box.width, box.height, 12, FRAME if group.depth % 2 else "#e9edf2", BORDER)
        yield from self.scene(inside, x, y)
        yield Words(x + 12, y + 18, group.label, 13, bold=True)
        kind = self._tree.drawing.types.get(group.path, "")
        yield Words(x + 20 + 8 * len(group.label), y + 18, kind, 11, faint=True)

    def _node(self, box: Box, x: float, y: float) -> Iterator[Mark]:
        kind, index = box.key
        colour = self._colour(box)
        fill = mixed(colour, self._tint, PAPER)
        if kind == GROUP:
            yield Rectangle(x + 4, y + 4, box.width, box.height, 8, PAPER, mixed(colour, 0.55, PAPER))
            name, about = self._tree.groups[index].label, subtitle(self._tree, self._tree.groups[index])
        else:
            name, about = self._tree.drawing.layers[index].title, self._tree.labels[index]
        yield Rectangle(x, y, box.width, box.height, 8, fill, colour)
        yield Words(x + box.width / 2, y + 18, name, 13, bold=True, anchor="middle")
        yield Words(x + box.width / 2, y + 33, about, 11, faint=True, anchor="middle")

    def _tensors(self, scene: Scene, x: float, y: float) -> Iterator[Words]:
        """Shapes and dtypes beside the lines that leave a closed box: of the first two tensors."""
        seen: dict[int, list[int]] = {}
        for one in scene.arrangement.segments:
            box, known = scene.boxes[one.upper], seen.setdefault(one.upper, [])
            if one.upward or not _is_closed(box) or one.tensor in known or len(known) == 2:
                continue
            side, anchor = (-1, "end") if known else (1, "start")
            known.append(one.tensor)
            tensor = self._tree.drawing.tensors[one.tensor]
            left, top = x + box.x + box.width / 2 + 6 * side, y + box.y + box.height
            yield Words(left, top + 15, tensor.shape_text, 11, faint=True, anchor=anchor, halo=True)
            yield Words(left, top + 28, tensor.dtype, 11, faint=True, anchor=anchor, halo=True)

    def _colour(self, box: Box) -> str:
        kind, index = box.key
        if self._scale:
            return self._scale.colour(self._value(box))
        return MODULE if kind == GROUP else family(self._tree.drawing.layers[index].kind).colour

    def _value(self, box: Box) -> float | None:
        kind, index = box.key
        return self._totals[index].value if kind == GROUP else layer_total(self._tree, index).value


class Scale:
    """Colours of values: from nothing for what adds up, else by powers of ten; ``page/colours.js`` has the same."""

    def __init__(self, measurement: Measurement, values: list[float]) -> None:
        finite = [value for value in values if math.isfinite(value) and value >= 0]
        self._adds_up = measurement.adds_up
        self._high = max(finite, default=0.0)
        self._low = max(min((value for value in finite if value > 0), default=0.0), self._high * 1e-9)

    def colour(self, value: float | None) -> str:
        """What is not finite has the last colour; what is not known a grey."""
        if value is None:
            return UNKNOWN
        position = min(max(self._place(value), 0.0), 1.0) * (len(RAMP) - 1)
        index = min(int(position), len(RAMP) - 2)
        return mixed(RAMP[index + 1], position - index, RAMP[index])

    def _place(self, value: float) -> float:
        if not math.isfinite(value):
            return 1.0
        if self._adds_up:
            return value / self._high if self._high else 0.0
        if value <= self._low:
            return 0.0
        return math.log(value / self._low) / (math.log(self._high / self._low) or 1.0)


def _closed(scene: Scene) -> Iterator[Box]:
    """The boxes that are seen as one."""
    for box in scene.boxes:
        if box.inside is not None:
            yield from _closed(box.inside)
        elif box.key[0] in (LAYER, GROUP):
            yield box


def _is_closed(box: Box) -> bool:
    return box.inside is None and box.key[0] in (LAYER, GROUP)


def _port(box: Box, kind: str, tensor: int) -> float:
    return box.x + box.width / 2 + box.gates.get((kind, tensor), 0.0)


def _rows(scene: Scene) -> dict[int, tuple[float, float]]:
    """The upper and lower edge of the row of each box."""
    found = {}
    for row in scene.arrangement.ranks:
        boxes = [scene.boxes[item] for item in row]
        edges = min(box.y for box in boxes), max(box.y + box.height for box in boxes)
        found.update(dict.fromkeys(row, edges))
    return found
