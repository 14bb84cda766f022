"""Layers nested by their modules, and what is connected to what inside each module.

A module is drawn as a box with a graph of its own: its layers and submodules, and a port for each tensor that crosses
its border. A connection between layers of different modules is a chain of links through the ports between them, so
each box can be laid out, opened and closed by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from trtnet.tools.draw.calls import calls
from trtnet.tools.draw.drawing import Drawing
from trtnet.tools.draw.order import in_order

LAYER, GROUP, ENTRY, EXIT = "layer", "group", "entry", "exit"
Key = tuple[str, int]
"""An item of a group: a layer or group by its index, an entry or exit by its tensor's."""
Link = tuple[Key, Key, int]
"""From, to, and the tensor that is handed on."""


@dataclass(eq=False)
class Group:
    """A module. label: its name in its parent. parent: None of the model. items: layers and groups, in their order."""

    index: int
    path: str
    label: str
    parent: Group | None
    items: list[Key] = field(default_factory=list)
    links: dict[Link, None] = field(default_factory=dict)

    @property
    def depth(self) -> int:
        """How many groups are around it."""
        return 0 if self.parent is None else self.parent.depth + 1


@dataclass(frozen=True)
class Tree:
    """groups: the model first. labels: of layers, in their group. order: each layer's position in execution.

    homes: the path of the group that each layer is drawn in.
    """

    drawing: Drawing
    groups: tuple[Group, ...]
    labels: tuple[str, ...]
    order: tuple[int, ...]
    homes: tuple[str, ...]

    def layers(self, group: Group) -> Iterator[int]:
        """All layers in a group, and in those inside it."""
        for kind, index in group.items:
            if kind == LAYER:
                yield index
            else:
                yield from self.layers(self.groups[index])

    def position(self, key: Key) -> int:
        """Where an item comes in execution: a group with its first layer."""
        return self.order[key[1]] if key[0] == LAYER else min(self.order[i] for i in self.layers(self.groups[key[1]]))


def nest(drawing: Drawing) -> Tree:
    """The tree of modules: a box for each call of one; a module that is one layer is that layer, under its name."""
    builder = _Builder(drawing)
    order = _positions(drawing)
    groups = builder.groups(calls(drawing, order))
    homes = {index: group.path for group in groups for kind, index in group.items if kind == LAYER}
    tree = Tree(drawing, groups, tuple(builder.labels), tuple(order), tuple(homes[i] for i in sorted(homes)))
    _connect(drawing, groups)
    for group in groups:
        _sort(group, tree.position)
    return tree


def _positions(drawing: Drawing) -> list[int]:
    """Each layer's position in execution."""
    makers: list[set[int]] = [set() for _ in drawing.layers]
    for maker, reader, _ in drawing.edges():
        makers[reader].add(maker)
    order = in_order(makers)
    return sorted(range(len(order)), key=order.__getitem__)


def _sort(group: Group, position: Callable[[Key], int]) -> None:
    """Puts a group's items so that lines run forward, in the order of execution where that leaves a choice."""
    items = sorted(group.items, key=position)
    place = {item: number for number, item in enumerate(items)}
    needs: list[set[int]] = [set() for _ in items]
    for source, target, _ in group.links:
        if source in place and target in place:
            needs[place[target]].add(place[source])
    group.items = [items[number] for number in in_order(needs)]


class _Builder:
    def __init__(self, drawing: Drawing) -> None:
        self.labels = [drawn.name.rpartition("/")[2] or drawn.name for drawn in drawing.layers]
        self._drawing = drawing
        self._groups = {("", 0): Group(0, "", "", None)}

    def groups(self, calls: Sequence[int]) -> tuple[Group, ...]:
        """calls: which call of its module each layer is from."""
        for index, (drawn, call) in enumerate(zip(self._drawing.layers, calls, strict=True)):
            self._group(drawn.module, call).items.append((LAYER, index))
        everything = list(self._groups.values())
        for group in reversed(everything):  # those inside come after those around them
            group.items = [self._final(item, everything) for item in group.items]
        kept = [group for group in everything if not self._is_one_layer(group)]
        numbers = {group.index: number for number, group in enumerate(kept)}
        for group in kept:
            group.items = [(kind, numbers[i] if kind == GROUP else i) for kind, i in group.items]
            group.index = numbers[group.index]
        return tuple(kept)

    def _group(self, path: str, call: int = 0) -> Group:
        if (path, call) not in self._groups:
            above, _, name = path.rpartition(".")
            parent = self._group(above)
            label = f"{parent.label}.{name}" if name.isdecimal() and parent.label else name
            group = Group(len(self._groups), path, f"{label} #{call + 1}" if call else label, parent)
            self._groups[path, call] = group
            parent.items.append((GROUP, group.index))
        return self._groups[path, call]

    @staticmethod
    def _is_one_layer(group: Group) -> bool:
        return group.parent is not None and [kind for kind, _ in group.items] == [LAYER]

    def _final(self, item: Key, everything: list[Group]) -> Key:
        """An item, or the layer that it is if it is a group of one."""
        kind, index = item
        if kind == LAYER or not self._is_one_layer(everything[index]):
            return item
        (only,) = everything[index].items
        self.labels[only[1]] = everything[index].label
        return only


def _connect(drawing: Drawing, groups: tuple[Group, ...]) -> None:
    """Fills the links of all groups."""
    home = {item[1]: group for group in groups for item in group.items if item[0] == LAYER}
    for maker, reader, tensor in drawing.edges():
        _link(home, maker, reader, tensor)


def _link(home: dict[int, Group], maker: int, reader: int, tensor: int) -> None:
    """One link in each group that a tensor passes on its way from the layer that makes it to one that reads it."""
    source, target = (LAYER, maker), (LAYER, reader)
    above, below = _chain(home[maker]), _chain(home[reader])
    while above[-1] not in below:
        group = above.pop()
        group.links[source, (EXIT, tensor), tensor] = None
        source = GROUP, group.index
    common = above[-1]
    while below[-1] is not common:
        group = below.pop()
        group.links[(ENTRY, tensor), target, tensor] = None
        target = GROUP, group.index
    common.links[source, target, tensor] = None


def _chain(group: Group) -> list[Group]:
    """The model, ..., the group's parent, the group."""
    chain = [group]
    while chain[-1].parent is not None:
        chain.append(chain[-1].parent)
    return chain[::-1]


def ports(group: Group, kind: str) -> Iterable[Key]:
    """The entries, or the exits, of a group."""
    return dict.fromkeys(key for link in group.links for key in link[:2] if key[0] == kind)
