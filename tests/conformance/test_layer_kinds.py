"""The table of layer kinds has a row for each member of ``LayerType`` of every release, and each row is right there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from helpers.comparing import network_of
from helpers.conformance.surfaces import lookup, surfaces

import trtnet
from trtnet import ops
from trtnet.graph.layers.kinds import KINDS, Family, Kind, kind_of
from trtnet.graph.layers.work import count
from trtnet.reference import table
from trtnet.support.errors import ExecutionError
from trtnet.tools.draw.families import FAMILIES, family

VERSIONS = surfaces()
ENUMS = {"ACTIVATION": "ActivationType", "ELEMENTWISE": "ElementWiseOperation", "POOLING": "PoolingType",
         "REDUCE": "ReduceOperation", "UNARY": "UnaryOperation"}  # fmt: skip


@pytest.mark.parametrize("version", VERSIONS)
def test_every_kind_has_a_row(version: str) -> None:
    assert sorted(set(VERSIONS[version]["LayerType"]) - set(KINDS)) == []


def test_every_row_is_a_kind_of_a_release_and_says_its_name() -> None:
    known = {name for surface in VERSIONS.values() for name in surface["LayerType"]}
    assert sorted(set(KINDS) - known) == []
    assert [name for name, kind in KINDS.items() if kind.name != name] == []


@pytest.mark.parametrize("version", VERSIONS)
def test_rows_name_what_tensorrt_has(version: str) -> None:
    surface = VERSIONS[version]
    there = [kind for kind in KINDS.values() if kind.name in surface["LayerType"]]
    assert [kind.name for kind in there if not kind.cls] == ["PLUGIN"]
    wanted = [name for kind in there if kind.cls for name in attributes(kind)]
    assert [name for name in wanted if lookup(surface, name) is None] == []


def attributes(kind: Kind) -> Iterator[str]:
    """The dotted names of TensorRT's that a row uses."""
    yield kind.cls
    for name in (*kind.weights, *kind.from_inputs, kind.boundary, kind.variant):
        if name:
            yield f"{kind.cls}.{name}"


def test_operators_are_of_tensorrts_operations() -> None:
    assert {kind.name for kind in KINDS.values() if not isinstance(kind.onnx, str)} == set(ENUMS)
    for name, enum in ENUMS.items():
        known = {member for surface in VERSIONS.values() for member in surface[enum]}
        assert set(KINDS[name].onnx) <= known, name


def test_boundaries_are_of_something_and_on_a_side() -> None:
    assert [kind.name for kind in KINDS.values() if bool(kind.boundary) != bool(kind.side)] == []


def test_every_family_is_drawn() -> None:
    names = {one.name for one in FAMILIES}
    assert set(get_args(Family)) <= names and {family(kind).name for kind in KINDS} <= names
    assert {kind for kind in KINDS if family(kind).name == "other"} == {
        "PLUGIN", "PLUGIN_V2", "PLUGIN_V3", "DIST_COLLECTIVE",
    }  # fmt: skip


def test_every_kind_is_executed_or_refused_with_the_reason() -> None:
    boundaries = {kind.name for kind in KINDS.values() if kind.boundary and kind.side != "opens"}
    opened = {kind.name for kind in KINDS.values() if kind.side == "opens" and kind.boundary == "loop"}
    ways: list[set[str]] = [set(table.LAYERS), boundaries | opened, set(table.PLUGINS), set(table.COLLECTIVES)]
    ways.append(set(table.REFUSED))
    assert set.union(*ways) == set(KINDS)
    assert sum(map(len, ways)) == len(KINDS)
    assert all(table.REFUSED.values())
    assert sum(len(module.LAYERS) for module in table.MODULES) == len(table.LAYERS), "two functions execute one kind"


def of_relu() -> Any:
    return network_of(ops.relu, {"x": trtnet.Input((2, 3))})


def test_the_refusal_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(table.LAYERS, "ACTIVATION")
    with pytest.raises(ExecutionError, match="does not execute ACTIVATION layers: this trtnet does not know them"):
        of_relu().reference()
    monkeypatch.setitem(table.REFUSED, "ACTIVATION", "it is another's")
    with pytest.raises(ExecutionError, match="does not execute ACTIVATION layers: it is another's"):
        of_relu().reference()


def test_a_kind_of_a_newer_tensorrt_counts_nothing_and_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kind_of("NEWER").entitle({}) == "Newer"
    monkeypatch.delitem(KINDS, "ACTIVATION")
    work = count(of_relu().trt)
    assert (work.flops, work.unknown) == (0, (work.layers[0].name,))
    assert work.layers[0].bytes_read == work.layers[0].bytes_written == 4 * 2 * 3
