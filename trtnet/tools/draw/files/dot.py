"""A drawing in Graphviz's language: a digraph with a cluster for each module."""

from __future__ import annotations

from collections.abc import Iterator

from trtnet.tools.draw.drawing import printable
from trtnet.tools.draw.families import family
from trtnet.tools.draw.layout.picture import PAPER, TINT, mixed
from trtnet.tools.draw.tree import GROUP, Group, Tree


def dot(tree: Tree) -> str:
    """All layers; Graphviz does the layout."""
    lines = [
        f"digraph {quoted(tree.drawing.title)} {{",
        '  node [shape=box, style="rounded,filled", fontname="Helvetica", fontsize=11];',
        '  edge [fontname="Helvetica", fontsize=9, color="#8b95a5"];',
        *_cluster(tree, tree.groups[0], "  "),
        *_edges(tree),
        "}",
    ]
    return "\n".join(lines) + "\n"


def quoted(*lines: str) -> str:
    """A string of DOT."""
    escaped = (printable(line).replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return '"' + "\\n".join(escaped) + '"'


def _cluster(tree: Tree, group: Group, indent: str) -> Iterator[str]:
    for kind, index in group.items:
        if kind != GROUP:
            yield f"{indent}n{index} [{_node(tree, index)}];"
            continue
        inside = tree.groups[index]
        yield f"{indent}subgraph cluster_{index} {{"
        yield f"{indent}  label={quoted(inside.path)}; color={quoted('#d5dae1')};"
        yield from _cluster(tree, inside, indent + "  ")
        yield f"{indent}}}"


def _node(tree: Tree, index: int) -> str:
    drawn = tree.drawing.layers[index]
    colour = family(drawn.kind).colour
    label = quoted(drawn.title, tree.labels[index])
    fill = mixed(colour, TINT, PAPER)
    return f'label={label}, tooltip={quoted(drawn.name)}, color="{colour}", fillcolor="{fill}"'


def _edges(tree: Tree) -> Iterator[str]:
    for maker, reader, tensor in tree.drawing.edges():
        yield f"  n{maker} -> n{reader} [label={quoted(str(tree.drawing.tensors[tensor]))}];"
