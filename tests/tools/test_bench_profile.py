"""From an engine's layers to the modules of the model."""

from __future__ import annotations

from pathlib import Path

import pytest

from trtnet.runtime.profiling import LayerTimes
from trtnet.tools.bench.profile import MODEL, OTHER, label, modules_of, profile
from trtnet.tools.bench.reports.plots import largest
from trtnet.tools.inspect.engine import parse

DETAILED = (Path(__file__).parents[1] / "data" / "inspect_rtx_detailed.json").read_text()


@pytest.mark.parametrize(
    ("modules", "depth", "expected"),
    [
        (("layer1.0.conv1", "layer1.0.bn1", "layer1.0"), 1, "layer1"),
        (("layer1.0.conv1", "layer1.0.bn1", "layer1.0"), 2, "layer1.0"),
        (("layer1.0.conv1", "layer1.0.bn1", "layer1.0"), 3, "layer1.0.conv1 + layer1.0.bn1"),
        (("layer1.0.conv1",), 9, "layer1.0.conv1"),
        (("conv1", "bn1", ""), 2, "conv1 + bn1"),
        (("",), 2, MODEL),
        ((), 2, OTHER),
        (("a.b.0", "a.b.1", "a.b.2", "a.b.3"), 3, "a.b"),
        (("a", "b", "c", "d"), 1, MODEL),
        (("layer1", "layer10"), 1, "layer1 + layer10"),
    ],
)
def test_a_layer_counts_for_the_innermost_modules_at_a_depth(
    modules: tuple[str, ...], depth: int, expected: str
) -> None:
    assert label(modules, depth) == expected


@pytest.mark.parametrize(
    ("name", "modules"),
    [
        ("layer1.0.conv1/convolution + layer1.0/relu.1", ("layer1.0.conv1", "layer1.0")),
        ("Reformatting CopyNode for Input Tensor 0 to fc/matrix_multiply", ("fc",)),
        ("__myl_Add_myl0_92", ()),
    ],
)
def test_names_of_our_own_layers_tell_their_modules(name: str, modules: tuple[str, ...]) -> None:
    assert modules_of(name, {}) == modules


def test_the_inspector_tells_the_modules_of_a_real_engines_layers() -> None:
    names = ["__mye2672_0_myl0_0", "__myl_CorrMulAddRelu_myl0_2", "__mye3315_myl0_35"]
    found = profile([LayerTimes(name, (1.0, 2.0)) for name in names], 2, parse(DETAILED))
    assert [row.modules for row in found.layers] == [(), ("conv1", "bn1", ""), ("layer3.0.conv1",)]
    assert [row.name for row in found.by_module(2)] == [OTHER, "conv1 + bn1", "layer3.0"]


def test_a_modules_times_are_added_up_execution_by_execution() -> None:
    times = [
        LayerTimes("b.0/relu", (1.0, 5.0, 3.0)),
        LayerTimes("x", (1.0, 1.0, 1.0)),
        LayerTimes("b.1/relu", (4.0, 0.0, 1.0)),
    ]
    found = profile(times, 3, None)
    block, other = found.by_module(1)
    assert (block.name, block.time_ms, block.median_ms) == ("b", 14.0, 5.0)
    assert block.average_ms == pytest.approx(14 / 3) and block.percentage == pytest.approx(100 * 14 / 17)
    assert (other.name, other.time_ms) == (OTHER, 3.0)
    assert sum(row.time_ms for row in found.layers) == found.total_ms == 17.0


def test_a_layer_that_some_executions_leave_out() -> None:
    found = profile([LayerTimes("a/x", (1.0, 1.0)), LayerTimes("a/y", (2.0,))], 2, None)
    (row,) = found.by_module(1)
    assert (row.time_ms, row.average_ms) == (4.0, 2.0)


def test_a_picture_shows_the_largest_modules_and_the_others_as_one() -> None:
    rows = profile([LayerTimes(f"m{i}/x", (float(1 + i % 7),)) for i in range(40)], 1, None).by_module(1)
    shown = largest(rows, 10)
    assert len(shown) == 10 and shown[-1].name == "31 others"
    assert sum(row.time_ms for row in shown) == pytest.approx(sum(row.time_ms for row in rows))
    assert min(row.time_ms for row in shown[:-1]) >= 6
    assert largest(rows[:3], 10) == list(rows[:3])
