"""The search itself: it finds what is planted, minimizes it, says what is fair, and its programs run as they stand."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from ops.searching import engines
from ops.searching.case import Case, Operand
from ops.searching.families import TABLE
from ops.searching.hunting import hunt
from ops.searching.judging import difference
from ops.searching.known import UNSEARCHED
from ops.searching.outcomes import ACCEPTED, ALONE, BOTH, CRASHED, DIFFERENT, EQUAL, outcome
from ops.searching.report import Report, Reports, as_json
from ops.searching.reproducer import reproducer
from ops.searching.table import some_cases

from trtnet import ops

ROOT = Path(__file__).parents[2]


def case(*body: str, shape: tuple[int, ...] = (2, 3), dtype: str = "float32", **more: Any) -> Case:
    operand = Operand(shape, dtype, "normal", "plain", ("n", *([""] * (len(shape) - 1))))
    return Case("made", body, (operand,), others={"n": 5}, **more)


def planted(monkeypatch: pytest.MonkeyPatch, name: str, wrong: Callable[..., Any]) -> None:
    monkeypatch.setattr(ops, name, wrong)


def test_the_table_is_large_and_every_row_draws_cases_that_are_data() -> None:
    assert len(TABLE) >= 250
    for name, entry in TABLE.items():
        rng = random.Random(name)
        made = entry.case(rng.randint)
        assert Case.of(json.loads(json.dumps(made.data()))) == made
        compile(made.program, "case.py", "exec")


def test_every_operation_has_a_row_or_a_reason_for_none() -> None:
    without = [name for name in ops.__all__ if name not in TABLE]
    assert sorted(without) == sorted(UNSEARCHED)


def test_a_planted_fault_is_found_and_minimized(monkeypatch: pytest.MonkeyPatch) -> None:
    real = ops.ceil
    planted(monkeypatch, "ceil", lambda x: real(x) if x.ndim < 2 else real(x) + 1)
    report = hunt("ceil", 60, 3)
    (found, result), *_ = (finding for finding in report.findings.values() if finding[1].kind == DIFFERENT)
    assert result.detail.startswith("values") and len(found.operands[0].shape) == 2
    assert found.operands[0].layout == "plain" and found.body == ("return ops.ceil(x0)",)


def test_a_fault_at_other_sizes_only_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    real = ops.tile
    planted(monkeypatch, "tile", lambda x, dims: real(x[:2], dims))
    found = outcome(case("return ops.tile(x0, (1, 2))"))
    assert (found.kind, found.where) == (DIFFERENT, "other sizes")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("return ops.exp(x0)", EQUAL),
        ("return ops.relu(x0, nothing=1)", BOTH),
        ("return ops.reshape(x0, (7, 7))", BOTH),
        ("return x0.double()", ALONE),
        ("return ops.exp(x0[:, 0], *[] if ops.sin(x0) is x0 else ())", EQUAL),
        ("return x0 + (1 if 'torch' in type(x0).__module__ else 2)", DIFFERENT),
        ("return x0 + (1 if 'torch' in type(x0).__module__ else {}['a'])", CRASHED),
        ("return x0 + ({}['a'] if 'torch' in type(x0).__module__ else 1)", ACCEPTED),
    ],
)
def test_outcomes(body: str, kind: str) -> None:
    assert outcome(case(body)).kind == kind


def values(*numbers: float, dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    return [torch.tensor(numbers, dtype=dtype)]


NAN, INF = float("nan"), float("inf")


def test_what_is_judged_equal() -> None:
    wide = values(1 / 3, 5.0, dtype=torch.float64)
    assert not difference(values(1 / 3, 5.0), values(1 / 3, 5.0), wide)
    assert not difference(values(NAN, INF, 1), values(NAN, INF, 1), None)
    # where torch's own float16 overflows on its way, what it would have been is right too
    assert not difference(
        values(3.0, dtype=torch.float16), values(INF, dtype=torch.float16), values(3.0, dtype=torch.float64)
    )
    assert not difference([torch.tensor([2])], [torch.tensor([3])], [torch.tensor([2.0])])


@pytest.mark.parametrize(
    ("found", "native", "says"),
    [
        (values(1.0), values(1.001), "values"),
        (values(NAN), values(1.0), "NaN or inf where torch has none, or the reverse"),
        (values(INF), values(-INF), "NaN or inf where torch has none, or the reverse"),
        ([torch.tensor([1])], [torch.tensor([2])], "values (exact)"),
        (values(1.0), values(1.0, dtype=torch.float16), "dtype torch.float32, torch's is torch.float16"),
        (values(1.0), values(1.0, 2.0), "shape (1,), torch's is (2,)"),
        ([], values(1.0), "0 results, torch has 1"),
    ],
)
def test_what_is_judged_different(found: list[torch.Tensor], native: list[torch.Tensor], says: str) -> None:
    assert difference(found, native, None) == says


def test_elements_that_stand_for_themselves_do_not_excuse_each_other() -> None:
    found, native = values(1e8, 0.0), values(1e8, 1e-3)
    assert not difference(found, native, None) and difference(found, native, None, exact=True)


@pytest.mark.parametrize(
    "made",
    [
        case("return ops.floor(x0 * 3) % 2"),
        case("return self.layer(x0)", layer="nn.Linear(3, 4)", seed=5),
        case("return x0.flatten()", shape=(10, 20), dtype="float32"),
    ],
)
def test_a_reproducer_runs_as_it_stands(made: Case, tmp_path: Path) -> None:
    found = outcome(made)
    assert found.kind == EQUAL
    program = tmp_path / "program.py"
    program.write_text(reproducer(made, found))
    done = subprocess.run(
        [sys.executable, program], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    theirs, ours = done.stdout.replace("torch  ", "").split("trtnet ")
    assert theirs.split() == ours.split()


def test_reports_are_added_and_kept_as_json() -> None:
    reports = Reports()
    found = outcome(case("return x0.double()"))
    report = Report("exp")
    report.add(found)
    report.findings[found.key] = (case("return x0"), found)
    assert reports.add(report) == 1 and reports.add(report) == 1
    assert reports.found == 1 and reports.known("exp") == (found.key,)
    assert json.loads(json.dumps(as_json(reports)))["exp"]["counts"] == {ALONE: 2}


def engine_cases() -> list[Case]:
    made = [one for row in ("exp", "conv2d", "LayerNorm") for one in some_cases(row, 3, 1, "float32")]
    return [*made, Case(**{**case("return ops.exp(x0)", shape=(0, 3)).__dict__, "op": "exp"})]


def test_cases_are_built_in_batches_and_compared() -> None:
    """Ahead of time, and the reference in the engine's place."""
    *results, empty = engines.search(engine_cases(), 20, 1, fake=True)
    assert {result.kind for result in results} <= {engines.LEFT_OUT, engines.EQUAL}
    assert sum(result.kind == engines.EQUAL for result in results) >= 6
    assert empty.kind == engines.LEFT_OUT


def test_a_batch_that_does_not_build_is_halved_to_the_case(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [case("return ops.exp(x0)"), case("return ops.sin(x0)")]
    made = [Case(**{**one.__dict__, "op": "exp"}) for one in made]
    build = engines._process
    spoiled: list[str] = []

    def process(what: str, *folders: str) -> Any:
        for folder in map(Path, folders):
            cases = (folder / "cases.json").read_text()
            if what == "build" and "ops.sin" in cases:
                spoiled.append(folder.name)
                (folder / "cases.json").write_text(cases.replace("ops.sin(x0)", "ops.reshape(x0, (7,))"))
        return build(what, *folders)

    monkeypatch.setattr(engines, "_process", process)
    results = engines.search(made, 3, 2, fake=True)
    assert [result.kind for result in results] == [engines.EQUAL, engines.NOT_BUILT]
    assert "LayerError" in results[1].detail and len(spoiled) > 1


def test_an_engine_that_computes_something_else_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [Case(**{**case("return ops.exp(x0)").__dict__, "op": "exp"})]
    reference = engines.by_reference
    monkeypatch.setattr(engines, "by_reference", lambda *given: reference(*given))
    real = torch.load
    monkeypatch.setattr(torch, "load", lambda path: [x + 1 for x in real(path)])
    (result,) = engines.search(made, 8, 1, fake=True)
    assert result.kind == engines.ENGINE and "largest distance 1" in result.detail


def test_the_program_prints_a_table_and_ends_with_its_verdict(tmp_path: Path) -> None:
    command = [sys.executable, ROOT / "tests/ops/search.py", "--cases", "20", "--only", "exp,permute"]
    done = subprocess.run([*command, "--json", tmp_path / "all.json"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 operations and layers" in done.stdout and json.loads((tmp_path / "all.json").read_text())["exp"]
