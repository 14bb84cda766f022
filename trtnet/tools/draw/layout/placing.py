"""Coordinates: where a tree's items stand, for the groups that are open. ``page/placing.js`` computes the same.

Units are pixels at full size; x and y of a box are its upper left corner.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from trtnet.support.text.counted import counted
from trtnet.tools.draw.drawing import INPUT, OUTPUT
from trtnet.tools.draw.layout.ranks import BEND, Arrangement
from trtnet.tools.draw.tree import ENTRY, EXIT, GROUP, LAYER, Group, Key, Tree, ports

NODE_HEIGHT, HEADER, PADDING = 42, 30, 18
ROW_GAP, COLUMN_GAP, PORT_GAP = 46, 26, 20
CHARACTER, NODE_MARGIN, NODE_LEAST = 7, 28, 96
SMALL_CHARACTER, LABEL_GAP, LABEL_MOST = 6.4, 6, 130
SWEEPS = 6
STIFFNESS = {LAYER: 8.0, GROUP: 8.0, BEND: 2.0, ENTRY: 2.0, EXIT: 2.0}
"""How much an item of each kind resists being moved from where its neighbours want it."""
PULL = {True: {True: 1.0, False: 0.001}, False: {True: 0.05, False: 1.0}}
"""How much an item heeds a neighbour: by whether it is a box itself (not a bend or port), then whether that is one."""


@dataclass(frozen=True)
class Box:
    """An item in its group.

    right: how far it reaches from its centre, with the label of its line. gates: the x of each tensor's port, from the
    box's centre; {} of what is closed.
    """

    key: Key
    x: float
    y: float
    width: float
    height: float
    right: float = 0.0
    gates: Mapping[Key, float] = field(default_factory=dict)
    inside: Scene | None = None


@dataclass(frozen=True)
class Scene:
    """A group that is open: its size, its boxes by their places in the arrangement, and that."""

    group: Group
    arrangement: Arrangement
    boxes: tuple[Box, ...]
    width: float
    height: float


def text_width(text: str) -> int:
    """Room for a text of a node."""
    return round(len(text) * CHARACTER)


def subtitle(tree: Tree, group: Group) -> str:
    """What a closed group says under its name."""
    kinds = [tree.drawing.layers[index].kind for index in tree.layers(group)]
    count = sum(kind not in (INPUT, OUTPUT) for kind in kinds)
    text = counted(count, "layer")
    kind = tree.drawing.types.get(group.path, "")
    return f"{kind} · {text}" if kind else text


def node_width(tree: Tree, key: Key) -> int:
    """The width of a layer or of a closed group."""
    kind, index = key
    if kind == LAYER:
        texts = [tree.drawing.layers[index].title, tree.labels[index]]
    else:
        texts = [tree.groups[index].label, subtitle(tree, tree.groups[index])]
    return max(NODE_LEAST, NODE_MARGIN + max(map(text_width, texts)))


def header_width(tree: Tree, group: Group) -> int:
    """The least width of an open group, which says its name and class above its items."""
    return 60 + text_width(group.label + tree.drawing.types.get(group.path, ""))


def label_reach(tree: Tree, key: Key) -> float:
    """How far the label beside the line of a layer or closed group reaches to the right of its centre."""
    kind, index = key
    tensors = tree.drawing.layers[index].outputs if kind == LAYER else [x for _, x in ports(tree.groups[index], EXIT)]
    longest = max((len(tree.drawing.tensors[x].shape_text) for x in tensors), default=0)
    return LABEL_GAP + min(longest * SMALL_CHARACTER, LABEL_MOST) if longest else 0.0


def place(tree: Tree, arrangements: Sequence[Arrangement], opened: Collection[int]) -> Scene:
    """The model with the groups of these indices open; a group inside a closed one is closed.

    arrangements: of all groups, by their indices.
    """
    return _Placing(tree, arrangements, opened).scene(tree.groups[0])


class _Placing:
    def __init__(self, tree: Tree, arrangements: Sequence[Arrangement], opened: Collection[int]) -> None:
        self._tree = tree
        self._arrangements = arrangements
        self._opened = opened

    def scene(self, group: Group) -> Scene:
        arrangement = self._arrangements[group.index]
        boxes = [self._sized(key) for key in arrangement.items]
        centres = _Columns(arrangement, boxes).centres()
        tops, height = _rows(arrangement, boxes)
        placed = tuple(replace(box, x=x - box.width / 2, y=y) for box, x, y in zip(boxes, centres, tops, strict=True))
        width = max((x + box.right for x, box in zip(centres, placed, strict=True)), default=0) + PADDING
        return _centred(Scene(group, arrangement, placed, width, height), max(width, header_width(self._tree, group)))

    def _sized(self, key: Key) -> Box:
        kind, index = key
        if kind == GROUP and index in self._opened:
            scene = self.scene(self._tree.groups[index])
            gates = {
                box.key: box.x + box.width / 2 - scene.width / 2 for box in scene.boxes if box.key[0] in (ENTRY, EXIT)
            }
            return Box(key, 0, 0, scene.width, scene.height, scene.width / 2, gates, scene)
        if kind in (LAYER, GROUP):
            width = node_width(self._tree, key)
            return Box(key, 0, 0, width, NODE_HEIGHT, max(width / 2, label_reach(self._tree, key)))
        return Box(key, 0, 0, 0, 0)


def _centred(scene: Scene, width: float) -> Scene:
    """A scene made wide enough for its header."""
    shift = (width - scene.width) / 2
    boxes = tuple(replace(box, x=box.x + shift) for box in scene.boxes)
    return replace(scene, boxes=boxes, width=width)


def _rows(arrangement: Arrangement, boxes: Sequence[Box]) -> tuple[list[float], float]:
    """The top of each box, the rows one below the other and each box in the middle of its row; the whole height."""
    tops = [0.0] * len(boxes)
    y, gap = float(HEADER), 0
    for row in arrangement.ranks:
        height = max(boxes[item].height for item in row)
        for item in row:
            tops[item] = y + (height - boxes[item].height) / 2
        gap = ROW_GAP if height else PORT_GAP
        y += height + gap
    exits = any(kind == EXIT for kind, _ in arrangement.items)
    return tops, y - gap + (0 if exits else PADDING)


class _Columns:
    """The x of each box's centre: near those it is connected to, in the order of its rank, without overlaps."""

    def __init__(self, arrangement: Arrangement, boxes: Sequence[Box]) -> None:
        self._ranks = arrangement.ranks
        self._boxes = boxes
        self._above: dict[int, list[tuple[int, float]]] = defaultdict(list)
        self._below: dict[int, list[tuple[int, float]]] = defaultdict(list)
        for one in arrangement.segments:
            start = boxes[one.upper].gates.get((EXIT, one.tensor), 0.0)
            end = boxes[one.lower].gates.get((ENTRY, one.tensor), 0.0)
            self._above[one.lower].append((one.upper, start - end))
            self._below[one.upper].append((one.lower, end - start))
        self._x = [0.0] * len(boxes)

    def centres(self) -> list[float]:
        for row in self._ranks:
            self._settle(row, [0.0] * len(row))
        for _ in range(SWEEPS):
            for row in self._ranks[1:]:
                self._settle(row, [self._wanted(item, self._above[item]) for item in row])
            for row in self._ranks[-2::-1]:
                self._settle(row, [self._wanted(item, self._below[item]) for item in row])
        left = min((x - box.width / 2 for x, box in zip(self._x, self._boxes, strict=True)), default=0)
        return [x - left + PADDING for x in self._x]

    def _wanted(self, item: int, neighbours: Sequence[tuple[int, float]]) -> float:
        if not neighbours:
            return self._x[item]
        pull = PULL[self._is_box(item)]
        weights = [pull[self._is_box(other)] for other, _ in neighbours]
        places = [self._x[other] + offset for other, offset in neighbours]
        return sum(weight * place for weight, place in zip(weights, places, strict=True)) / sum(weights)

    def _is_box(self, item: int) -> bool:
        return self._boxes[item].height > 0

    def _settle(self, row: Sequence[int], wanted: Sequence[float]) -> None:
        """The places nearest to those wanted, by least squares, that keep order and distance: isotonic regression."""
        offsets = [0.0]
        for left, right in pairwise(row):
            offsets.append(offsets[-1] + self._boxes[left].right + self._boxes[right].width / 2 + COLUMN_GAP)
        blocks: list[list[float]] = []  # mean, weight, length
        for item, place, offset in zip(row, wanted, offsets, strict=True):
            blocks.append([place - offset, STIFFNESS[self._boxes[item].key[0]], 1])
            while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
                mean, weight, length = blocks.pop()
                before = blocks[-1]
                before[0] = (before[0] * before[1] + mean * weight) / (before[1] + weight)
                before[1] += weight
                before[2] += length
        means = [mean for mean, _, length in blocks for _ in range(int(length))]
        for item, mean, offset in zip(row, means, offsets, strict=True):
            self._x[item] = mean + offset
