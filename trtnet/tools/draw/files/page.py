"""A drawing as one HTML file that needs nothing else: no network, no library."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict
from html import escape
from importlib.resources import files
from math import isfinite
from typing import Any

from trtnet.tools.draw.drawing import INPUT, OUTPUT
from trtnet.tools.draw.families import FAMILIES, family
from trtnet.tools.draw.layout import placing
from trtnet.tools.draw.layout.ranks import Arrangement
from trtnet.tools.draw.totals import Total, layer_total, totals
from trtnet.tools.draw.tree import GROUP, LAYER, Group, Tree

SCRIPTS = ("placing.js", "colours.js", "scene.js", "view.js", "panel.js", "outline.js", "search.js", "main.js")


def page(tree: Tree, arrangements: Sequence[Arrangement], opened: Collection[int]) -> str:
    """The whole file. Names from the network are data in it, never markup or code.

    opened: the groups that are open at first.
    """
    folder = files("trtnet.tools.draw") / "page"
    data = json.dumps(_data(tree, arrangements, opened), allow_nan=False, separators=(",", ":"))
    scripts = "\n".join((folder / name).read_text(encoding="utf-8") for name in SCRIPTS)
    parts = {
        "@TITLE@": escape(tree.drawing.title),
        "@STYLE@": (folder / "page.css").read_text(encoding="utf-8"),
        "@DATA@": data.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"),
        "@SCRIPT@": scripts,
    }
    text = (folder / "page.html").read_text(encoding="utf-8")
    before, *rest = _split(text, list(parts))
    return before + "".join(parts[name] + following for name, following in zip(parts, rest, strict=True))


def _split(text: str, names: Sequence[str]) -> list[str]:
    """The template around its places, so that what is put into one is not searched for the next."""
    pieces = []
    for name in names:
        piece, _, text = text.partition(name)
        pieces.append(piece)
    return [*pieces, text]


def _data(tree: Tree, arrangements: Sequence[Arrangement], opened: Collection[int]) -> dict[str, Any]:
    drawing = tree.drawing
    measured = drawing.measurement
    sums = totals(tree)
    return {
        "title": drawing.title,
        "notes": drawing.notes,
        "metrics": {name.lower(): getattr(placing, name) for name in METRICS}
        | {"stiffness": placing.STIFFNESS, "pull": _pull()},
        "families": [{"name": one.name, "colour": one.colour} for one in FAMILIES],
        "measurement": measured and {"name": measured.name, "unit": measured.unit, "adds_up": measured.adds_up},
        "tensors": [{"name": x.name, "shape": x.shape_text, "dtype": x.dtype} for x in drawing.tensors],
        "layers": [_layer(tree, index) for index in range(len(drawing.layers))],
        "groups": [_group(tree, group, arrangements[group.index], sums[group.index]) for group in tree.groups],
        "open": sorted(opened),
    }


METRICS = ("NODE_HEIGHT", "HEADER", "PADDING", "ROW_GAP", "COLUMN_GAP", "PORT_GAP", "SWEEPS")


def _layer(tree: Tree, index: int) -> dict[str, Any]:
    drawn = tree.drawing.layers[index]
    return {
        "name": drawn.name,
        "kind": drawn.kind,
        "title": drawn.title,
        "label": tree.labels[index],
        "family": FAMILIES.index(family(drawn.kind)),
        "module": drawn.module,
        "source": drawn.source,
        "attributes": dict(drawn.attributes),
        "inputs": drawn.inputs,
        "outputs": drawn.outputs,
        "width": placing.node_width(tree, (LAYER, index)),
        "reach": placing.label_reach(tree, (LAYER, index)),
        **_numbers(layer_total(tree, index)),
    }


def _group(tree: Tree, group: Group, arrangement: Arrangement, total: Total) -> dict[str, Any]:
    return {
        "path": group.path,
        "label": group.label,
        "type": tree.drawing.types.get(group.path, ""),
        "parent": None if group.parent is None else group.parent.index,
        "subtitle": placing.subtitle(tree, group),
        "width": placing.node_width(tree, (GROUP, group.index)),
        "reach": placing.label_reach(tree, (GROUP, group.index)),
        "header": placing.header_width(tree, group),
        "items": arrangement.items,
        "ranks": arrangement.ranks,
        "segments": [[one.upper, one.lower, one.tensor, one.upward] for one in arrangement.segments],
        "families": _families(tree, group),
        **_numbers(total),
    }


def _families(tree: Tree, group: Group) -> list[tuple[int, int]]:
    """How many layers of each family a group has."""
    kinds = (tree.drawing.layers[index].kind for index in tree.layers(group))
    return sorted(Counter(FAMILIES.index(family(kind)) for kind in kinds if kind not in (INPUT, OUTPUT)).items())


def _pull() -> dict[str, Any]:
    """By the names that JavaScript has for truth."""
    return {str(own).lower(): {str(x).lower(): y for x, y in pulls.items()} for own, pulls in placing.PULL.items()}


def _numbers(total: Total) -> dict[str, Any]:
    """JSON has no infinity: what is not finite goes as text."""
    value = total.value
    return asdict(total) | {
        "layers": int(total.layers),
        "value": value if value is None or isfinite(value) else str(value),
    }
