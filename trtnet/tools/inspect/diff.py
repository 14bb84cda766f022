"""`trtnet diff`: which layers of two networks, or of two engines, are others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from trtnet.support.errors import ModelError
from trtnet.support.text.counted import counted
from trtnet.tools.inspect.layer_lists import Described, DescribedLayer

Change = tuple[str | None, str | None]
"""What the first says and what the second; None for one that says nothing."""


@dataclass(frozen=True)
class LayerDifference:
    """A layer that is in one alone, or another in the second.

    first, second: its name in each, None where it is not. changes: what differs, by name.
    """

    module: str
    first: str | None
    second: str | None
    changes: Mapping[str, Change]

    @property
    def status(self) -> str:
        if self.first is None:
            return "added"
        return "removed" if self.second is None else "changed"


@dataclass(frozen=True)
class Diff:
    """facts: what differs of the whole. layers: those that differ. alike: how many do not. note: what to know of it.

    complete: whether the layers of both are known.
    """

    first: str
    second: str
    facts: Mapping[str, Change]
    layers: tuple[LayerDifference, ...]
    alike: int
    note: str = ""
    complete: bool = True

    @property
    def differs(self) -> bool:
        return bool(self.facts or self.layers)


def compare(first: Described, second: Described) -> Diff:
    """Aligns the layers by module path and, in a module, by order and kind; names are not compared.

    Raises ModelError for a network and an engine.
    """
    if first.level != second.level:
        raise ModelError(
            f"{first.name} is {_a(first.level)} and {second.name} {_a(second.level)}: TensorRT makes different layers"
            f" of those of a network, so compare two networks or two engines"
        )
    facts = _changes(first.facts, second.facts)
    if first.layers is None or second.layers is None:
        unknown = " and ".join(one.name for one in (first, second) if one.layers is None)
        note = f"layers are not compared, those of {unknown} are not known here"
        return Diff(first.name, second.name, facts, (), 0, note, complete=False)
    groups, note = _groups(first.layers, second.layers)
    pairs = [(module, pair) for module, (a, b) in groups.items() for pair in _aligned(a, b)]
    found = tuple(difference for module, pair in pairs if (difference := _difference(module, *pair)))
    return Diff(first.name, second.name, facts, found, len(pairs) - len(found), note)


def _a(level: str) -> str:
    return "an engine" if level == "engine" else "a network"


Layers = list[DescribedLayer]


def _groups(
    first: Sequence[DescribedLayer], second: Sequence[DescribedLayer]
) -> tuple[dict[str, tuple[Layers, Layers]], str]:
    """The layers of both by module; all in one where they have no module in common."""
    named = [{one.module for one in layers} - {""} for layers in (first, second)]
    if any(named) and not named[0] & named[1]:
        return {"": (list(first), list(second))}, "they have no module in common: layers are aligned by order alone"
    a, b = _by_module(first), _by_module(second)
    return {module: (a[module], b[module]) for module in dict.fromkeys([*a, *b])}, ""


def _by_module(layers: Iterable[DescribedLayer]) -> dict[str, Layers]:
    found: dict[str, Layers] = defaultdict(list)
    for one in layers:
        found[one.module].append(one)
    return found


def _aligned(a: Layers, b: Layers) -> Iterator[tuple[DescribedLayer | None, DescribedLayer | None]]:
    """Pairs of the same kind in the same order, and as many of other kinds in one place; the rest alone."""
    matcher = SequenceMatcher(None, [one.kind for one in a], [one.kind for one in b], autojunk=False)
    for _, i, i_end, j, j_end in matcher.get_opcodes():
        if i_end - i == j_end - j:
            yield from zip(a[i:i_end], b[j:j_end], strict=True)
        else:
            yield from ((one, None) for one in a[i:i_end])
            yield from ((None, one) for one in b[j:j_end])


def _difference(module: str, a: DescribedLayer | None, b: DescribedLayer | None) -> LayerDifference | None:
    if a is None or b is None:
        kinds = {"kind": (a.kind if a else None, b.kind if b else None)}
        return LayerDifference(module, a.name if a else None, b.name if b else None, kinds)
    kind = {"kind": a.kind}, {"kind": b.kind}
    changes = _changes({**kind[0], **a.says}, {**kind[1], **b.says})
    return LayerDifference(module, a.name, b.name, changes) if changes else None


def _changes(a: Mapping[str, str], b: Mapping[str, str]) -> dict[str, Change]:
    return {name: (a.get(name), b.get(name)) for name in dict.fromkeys([*a, *b]) if a.get(name) != b.get(name)}


def render(found: Diff) -> RenderableType:
    """The differences, to read."""
    table = Table(Column("layer", overflow="fold"), Column("", overflow="fold"), found.first, found.second)
    for name, change in found.facts.items():
        table.add_row("", Text(name), *map(_cell, change))
    for one in found.layers:
        for index, (name, change) in enumerate(one.changes.items()):
            table.add_row(Text(_title(one)) if index == 0 else "", Text(name), *map(_cell, change))
    verdict = Text("\n".join(filter(None, [found.note, _verdict(found)])))
    return Group(table, verdict) if found.differs else verdict


def _title(one: LayerDifference) -> str:
    names = dict.fromkeys(name for name in (one.first, one.second) if name)
    return f"{one.status}: {' -> '.join(names)}"


def _cell(value: str | None) -> Text:
    return Text("-" if value is None else value)


def _verdict(found: Diff) -> str:
    counts = [(status, sum(one.status == status for one in found.layers)) for status in ("changed", "added", "removed")]
    layers = [f"{number} {status}" for status, number in counts if number]
    if not found.complete:
        return "" if found.differs else "no difference in what is known of both"
    if not found.differs:
        return f"no difference: {counted(found.alike, 'layer')} {'is' if found.alike == 1 else 'are'} alike"
    return f"layers: {', '.join([f'{found.alike} alike', *layers])}"


def to_json(found: Diff) -> dict[str, Any]:
    """The differences, for a program."""
    layers = [asdict(one) | {"status": one.status} for one in found.layers]
    return asdict(found) | {"differs": found.differs, "layers": layers}
