"""Which modules are open: down to a depth, or as many as one can take in at once."""

from __future__ import annotations

from trtnet.tools.draw.tree import GROUP, Tree

ENOUGH = 50
"""Boxes that a picture starts with at most, where opening nothing would not show more."""


def down_to(tree: Tree, depth: int) -> frozenset[int]:
    """The groups whose items are seen at a depth: 1 shows the model's own, 2 those of its modules too."""
    return frozenset(group.index for group in tree.groups if group.depth < depth)


def start(tree: Tree) -> frozenset[int]:
    """The greatest depth that shows no more than is ENOUGH, and the model's own items in any case."""
    deepest = max(group.depth for group in tree.groups) + 1
    fitting = [depth for depth in range(1, deepest + 1) if _shown(tree, down_to(tree, depth)) <= ENOUGH]
    return down_to(tree, max(fitting, default=1))


def _shown(tree: Tree, opened: frozenset[int]) -> int:
    """How many boxes are seen: the items of open groups, but the open groups themselves."""
    items = [item for index in opened for item in tree.groups[index].items]
    return sum(not (kind == GROUP and index in opened) for kind, index in items)
