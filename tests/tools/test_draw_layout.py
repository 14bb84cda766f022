"""The nesting, the ranks and the coordinates of drawings."""

from __future__ import annotations

import random
from itertools import combinations, pairwise

import pytest
from helpers.tools import drawings

from trtnet.tools.draw.drawing import Drawing, DrawnLayer, DrawnTensor
from trtnet.tools.draw.files.writing import lay_out
from trtnet.tools.draw.layout.placing import Scene, place
from trtnet.tools.draw.layout.ranks import arrange
from trtnet.tools.draw.opening import ENOUGH, down_to, start
from trtnet.tools.draw.order import in_order
from trtnet.tools.draw.tree import ENTRY, EXIT, GROUP, LAYER, Tree, nest


def graph(edges: list[tuple[int, int]], modules: list[str]) -> Drawing:
    """Layers in these modules; a tensor from each to those that the edges lead to."""
    layers = tuple(
        DrawnLayer(
            f"{module}/op_{i}", "ACTIVATION", "Relu", module, inputs=tuple(a for a, b in edges if b == i), outputs=(i,)
        )
        for i, module in enumerate(modules)
    )
    return Drawing("graph", layers, tuple(DrawnTensor(f"t{i}", (1,), "float32") for i in range(len(modules))))


def placed(tree: Tree, depth: int = 99) -> Scene:
    return place(tree, [arrange(tree, group) for group in tree.groups], down_to(tree, depth))


def scenes(scene: Scene) -> list[Scene]:
    return [scene, *(one for box in scene.boxes if box.inside for one in scenes(box.inside))]


def test_a_module_of_one_layer_is_that_layer() -> None:
    tree = nest(drawings.chain(["a.b.c", "a.d", "a.d"]))
    assert [group.path for group in tree.groups] == ["", "a", "a.d"]
    assert tree.labels[1] == "b"
    assert tree.groups[1].items == [(LAYER, 1), (GROUP, 2)]


def test_a_module_called_twice_has_two_boxes() -> None:
    """conv, act, conv, act: the activation is one module of the model."""
    tree = nest(drawings.chain(["conv1", "act", "conv2", "act"]))
    assert len(tree.groups) == 1
    assert [tree.labels[index] for _, index in tree.groups[0].items][1:5] == ["conv1", "act", "conv2", "act #2"]
    larger = nest(drawings.chain(["conv1", "act", "act", "conv2", "act", "act"]))
    assert [(group.path, group.label) for group in larger.groups[1:]] == [("act", "act"), ("act", "act #2")]
    assert not any(one.upward for one in arrange(larger, larger.groups[0]).segments)


def test_a_module_of_two_parts_that_nothing_connects_stays_one() -> None:
    """As a table of cosines and sines: both parts are read at once."""
    tree = nest(graph([(0, 2), (1, 2), (2, 3)], ["tables", "tables", "", ""]))
    assert [group.path for group in tree.groups] == ["", "tables"]


def test_layers_around_a_submodule_stay_together() -> None:
    """As the activations of a residual block, which calls its convolutions in between."""
    for inner in ("conv1", "conv2"), ("first.conv", "second.conv"):
        tree = nest(drawings.chain([f"block.{inner[0]}", "block", f"block.{inner[1]}", "block"]))
        assert [group.path for group in tree.groups] == ["", "block"]


def test_what_leaves_a_module_leaves_below_its_layers() -> None:
    tree = nest(graph([(0, 1), (0, 3), (1, 2)], ["a", "a", "a", ""]))
    arrangement = arrange(tree, tree.groups[1])
    assert [arrangement.items[item][0] for item in arrangement.ranks[-1]] == [EXIT]


def test_connections_pass_the_borders_of_modules_through_ports() -> None:
    tree = nest(graph([(0, 1), (0, 2), (2, 3)], ["a.b", "a.b", "a.c", "d"]))
    inner, outer = (next(group for group in tree.groups if group.path == path) for path in ("a.b", "a"))
    assert list(inner.links) == [((LAYER, 0), (LAYER, 1), 0), ((LAYER, 0), (EXIT, 0), 0)]
    assert list(outer.links) == [((GROUP, inner.index), (LAYER, 2), 0), ((LAYER, 2), (EXIT, 2), 2)]
    assert list(tree.groups[0].links) == [((GROUP, outer.index), (LAYER, 3), 2)]


def test_items_are_in_order_of_what_they_need() -> None:
    assert in_order([{2}, set(), {1}]) == [1, 2, 0]
    assert in_order([{1}, {0}, set()]) == [2, 0, 1]  # a loop is entered at its first
    assert in_order([]) == []


def test_lines_run_down_and_loops_run_up() -> None:
    tree = nest(graph([(0, 1), (1, 2), (2, 1), (2, 3)], ["", "", "", ""]))
    arrangement = arrange(tree, tree.groups[0])
    rank = {item: row for row, items in enumerate(arrangement.ranks) for item in items}
    assert all(rank[one.lower] == rank[one.upper] + 1 for one in arrangement.segments)
    (upward,) = (one for one in arrangement.segments if one.upward)
    assert (arrangement.items[upward.upper], arrangement.items[upward.lower]) == ((LAYER, 1), (LAYER, 2))


def test_long_lines_share_their_bends() -> None:
    """One tensor that every layer of a chain reads: one bend a rank, not one a reader."""
    count = 12
    edges = [(i, i + 1) for i in range(count)] + [(0, i) for i in range(2, count + 1)]
    tree = nest(graph(edges, [""] * (count + 1)))
    arrangement = arrange(tree, tree.groups[0])
    assert sum(kind == "bend" for kind, _ in arrangement.items) == count - 1


def test_crossings_are_removed() -> None:
    """Two pairs whose lines cross in the order of the layers."""
    tree = nest(graph([(0, 3), (1, 2)], ["", "", "", ""]))
    arrangement = arrange(tree, tree.groups[0])
    upper, lower = ([arrangement.items[item][1] for item in rank] for rank in arrangement.ranks)
    assert sorted(zip(upper, lower, strict=True)) == [(0, 3), (1, 2)]


def random_graph(seed: int) -> Drawing:
    """Up to 60 layers in modules up to three deep, connected anyhow, loops included."""
    dice = random.Random(seed)
    count = dice.randint(2, 60)
    paths = ["", "a", "a.x", "a.x.p", "a.y", "b", "b.0", "b.1"]
    edges = {(dice.randrange(count), dice.randrange(count)) for _ in range(2 * count)}
    edges = {(a, b) for a, b in edges if a < b or dice.random() < 0.1}
    return graph(sorted(edges), [dice.choice(paths) for _ in range(count)])


@pytest.mark.parametrize("seed", range(40))
def test_boxes_stand_apart_and_inside(seed: int) -> None:
    drawing = random_graph(seed)
    for scene in scenes(placed(nest(drawing), depth=1 + seed % 4)):
        real = [box for box in scene.boxes if box.key[0] in (LAYER, GROUP)]
        for box in real:
            assert box.x >= 0 and box.x + box.width <= scene.width + 1e-6
            assert box.y >= 0 and box.y + box.height <= scene.height + 1e-6
        for one, other in combinations(real, 2):
            apart = (
                one.x + one.width <= other.x + 1e-6 or other.x + other.width <= one.x + 1e-6
                or one.y + one.height <= other.y + 1e-6 or other.y + other.height <= one.y + 1e-6
            )  # fmt: skip
            assert apart


@pytest.mark.parametrize("seed", range(40))
def test_every_connection_is_a_line(seed: int) -> None:
    """Whatever is nested how: each tensor's makers and readers are joined by segments through ports."""
    drawing = random_graph(seed)
    tree = nest(drawing)
    joined: dict[tuple[object, int], set[object]] = {}
    for group in tree.groups:
        arrangement = arrange(tree, group)
        for one in arrangement.segments:
            ends = [_end(group.index, one_end, arrangement.items, one.tensor) for one_end in (one.upper, one.lower)]
            for a, b in (ends, ends[::-1]):
                joined.setdefault((a, one.tensor), set()).add(b)
    for reader, layer in enumerate(drawing.layers):
        for tensor in layer.inputs:
            if tensor != reader:
                assert _reaches(joined, (LAYER, tensor), (LAYER, reader), tensor)


def _end(group: int, place: int, items, tensor: int) -> object:
    """An end of a segment; a port is the same place as the border of its group."""
    kind, index = items[place]
    if kind in (ENTRY, EXIT):
        return GROUP, group
    return (kind, index) if kind in (LAYER, GROUP) else (group, "bend", place)


def _reaches(joined, source: object, target: object, tensor: int) -> bool:
    seen, stack = {source}, [source]
    while stack:
        for following in joined.get((stack.pop(), tensor), ()):
            if following not in seen:
                seen.add(following)
                stack.append(following)
    return target in seen


def test_a_chain_is_straight() -> None:
    """A way around a chain does not bend it."""
    tree = nest(graph([(0, 1), (1, 2), (2, 3), (3, 4), (0, 4)], [""] * 5))
    scene = placed(tree)
    centres = [scene.boxes[place].x + scene.boxes[place].width / 2 for place in range(1, 4)]
    assert max(abs(a - b) for a, b in pairwise(centres)) < 1


def test_the_same_network_is_drawn_the_same() -> None:
    first, second = (lay_out(drawings.resnet18()) for _ in range(2))
    assert first.arrangements == second.arrangements


def test_pictures_start_as_open_as_can_be_taken_in() -> None:
    tree = nest(drawings.resnet18())
    opened = start(tree)
    assert {tree.groups[i].path for i in opened} == {"", "layer1", "layer2", "layer3", "layer4", "fc"}
    flat = nest(drawings.chain([""] * (ENOUGH + 10)))
    assert start(flat) == {0}
