"""Times and errors on drawings."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from helpers.tools import drawings

from trtnet.support.errors import InputError
from trtnet.tools.draw.drawing import Drawing, Measurement
from trtnet.tools.draw.layout.picture import RAMP, UNKNOWN, Scale, mixed
from trtnet.tools.draw.measured import with_comparison, with_profile
from trtnet.tools.draw.totals import totals
from trtnet.tools.draw.tree import nest

CHAIN = drawings.chain(["a.x", "a.x", "a.y", "b"])


def file(folder: Path, document: Any) -> Path:
    path = folder / "measured.json"
    path.write_text(json.dumps(document))
    return path


def values(drawing: Drawing) -> dict[str, float | None]:
    tree = nest(drawing)
    return {group.path: total.value for group, total in zip(tree.groups, totals(tree), strict=True)}


def row(name: str, ms: float) -> dict[str, Any]:
    return {"name": name, "timeMs": 100 * ms, "averageMs": ms, "medianMs": ms, "percentage": 1.0}


def test_a_profile_of_trtexec(tmp_path: Path) -> None:
    rows = [{"count": 100}, row("a.x/relu_0", 1.0), row("a.x/relu_1", 0.5), row("b/relu_3", 2.0)]
    found = with_profile(CHAIN, file(tmp_path, rows))
    assert found.measurement.layers == {1: 1.0, 2: 0.5, 4: 2.0}
    assert values(found) == {"": 3.5, "a": 1.5, "a.x": 1.5}
    assert found.notes == CHAIN.notes


def test_what_was_fused_shares_its_time(tmp_path: Path) -> None:
    found = with_profile(CHAIN, file(tmp_path, [{"count": 1}, row("a.x/relu_0 + a.x/relu_1", 1.0), row("copy", 0.25)]))
    assert found.measurement.layers == {1: 0.5, 2: 0.5}
    assert found.notes[-1] == "0.25 ms of measured.json are of layers that are not in this drawing."


def test_times_of_modules(tmp_path: Path) -> None:
    found = with_profile(CHAIN, file(tmp_path, {"a": 3.0, "b/relu_3": 1.0}))
    assert values(found) == {"": 4.0, "a": 3.0, "a.x": None}


def test_a_comparison_by_modules(tmp_path: Path) -> None:
    found = with_comparison(CHAIN, file(tmp_path, {"a.x": 1e-6, "a.y": 0.5, "nowhere": 1.0}))
    assert values(found) == {"": 0.5, "a": 0.5, "a.x": 1e-6}
    assert found.notes[-1] == "Modules of measured.json that this network has no layers of: 1."


def test_what_bisect_writes(tmp_path: Path) -> None:
    from trtnet.verify.bisection.report import Bisection
    from trtnet.verify.bisection.result import Row, Verdict

    def called(path: str, outputs: float | None, call: int = 0) -> Row:
        return Row(path, "Linear", call, "float32", 0.0, outputs, 1e-5, None, Verdict.CLEARED)

    rows = called("a.x", 1e-6), called("a.x", 1e-3, call=1), called("b", math.inf), called("a.y", None)
    found = with_comparison(CHAIN, file(tmp_path, Bisection(rows, ()).to_json()))
    assert found.measurement.modules == {"a.x": 1e-3, "b": math.inf}
    assert values(found)[""] == math.inf


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"c": 1.0}, "names no layer or module of this drawing: its first name is 'c'"),
        ({"a.x/relu_9": 1.0}, "the nearest here is 'a.x/relu_"),
        ([{"name": "b/relu_3"}], r"not a profile: KeyError\('averageMs'\)"),
        ({"b": "fast"}, "not a profile: ValueError"),
        (3, "not a profile: TypeError"),
    ],
)
def test_other_profiles_are_refused(tmp_path: Path, document: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        with_profile(CHAIN, file(tmp_path, document))


@pytest.mark.parametrize("document", [[], 3, {"rows": [{"path": "a"}]}, {"a": "much"}, {"rows": 3}])
def test_other_comparisons_are_refused(tmp_path: Path, document: Any) -> None:
    with pytest.raises(InputError, match=r"not a comparison|names no layer"):
        with_comparison(CHAIN, file(tmp_path, document))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{")
    for path in (tmp_path / "x.json", tmp_path / "missing.json"):
        with pytest.raises(InputError, match=r"cannot read .*--exportProfile"):
            with_profile(CHAIN, path)


def test_colours_of_times_and_errors() -> None:
    time = Scale(Measurement("time", "ms", adds_up=True), [1.0, 4.0])
    assert (time.colour(0.0), time.colour(4.0), time.colour(2.0)) == (RAMP[0], RAMP[-1], RAMP[2])
    assert time.colour(0.5) == mixed(RAMP[1], 0.5, RAMP[0])
    error = Scale(Measurement("error", "", adds_up=False), [1e-6, 1e-2, math.inf])
    assert (error.colour(1e-6), error.colour(1e-4), error.colour(1e-2)) == (RAMP[0], RAMP[2], RAMP[-1])
    assert (error.colour(math.inf), error.colour(math.nan), error.colour(None)) == (RAMP[-1], RAMP[-1], UNKNOWN)
    assert Scale(Measurement("error", "", adds_up=False), []).colour(0.0) == RAMP[0]
