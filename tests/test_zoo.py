"""What benchmarks are made of that needs no GPU: processes side by side, tables, the zoo's models, kernels of plans."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
import torch
from helpers.plan_kernels import calls, fused
from helpers.zoo import families
from helpers.zoo.engines import attempt, build_row, facts, routes
from helpers.zoo.jobs import KILLED, Job, side_by_side
from helpers.zoo.tables import profile_table, ratios, table
from helpers.zoo.timing import kind_of

import trtnet
from trtnet.tools.inspect.engine import EngineLayer


def python(folder: Path, name: str, code: str, limit: float = 60.0) -> Job:
    return Job((sys.executable, "-S", "-c", code), folder / f"{name}.log", limit)


def test_jobs_run_side_by_side_and_one_that_hangs_is_ended_with_what_it_started(tmp_path: Path) -> None:
    child = f"import subprocess; subprocess.run([{sys.executable!r}, '-S', '-c', 'import time; time.sleep(99)'])"
    hanging, failing = python(tmp_path, "hanging", child, 0.3), python(tmp_path, "failing", "raise SystemExit(3)")
    fine = python(tmp_path, "fine", "print('done')")
    codes: dict[str, int] = {}

    def ended(job: Job, code: int, took: float) -> Job | None:
        codes[job.log.stem] = code
        return python(tmp_path, "instead", "") if job is failing else None

    began = time.monotonic()
    assert side_by_side([hanging, failing, fine], 2, 60.0, ended) == []
    assert codes == {"hanging": KILLED, "failing": 3, "fine": 0, "instead": 0} and time.monotonic() - began < 30
    assert fine.log.read_text() == "done\n"
    assert side_by_side([hanging, fine], 1, 0.1, ended) == [hanging, fine]


ROWS = [
    {"family": "a:b", "batch": 1, "ms": {"trtnet": 1.0, "onnx": 1.0, "compile": 4.0}, "error": {"trtnet": 1e-3},
     "floor": 0.5, "compiled": {"mode": "default"}},
    {"family": "a:c", "batch": 32, "ms": {"trtnet": 1.5, "tuned": 1.0, "onnx": 4.0}, "error": {}, "floor": None},
    {"family": "a:d", "batch": 1, "skipped": "OutOfMemoryError: too large"},
]  # fmt: skip


def test_a_table_has_the_means_of_what_was_measured_and_the_rows_that_are_not_faster() -> None:
    assert ratios(ROWS, "onnx") == {"a:b, 1": 1.0, "a:c, 32": 0.25} and ratios(ROWS, "eager") == {}
    text = table(ROWS)
    assert (
        "| b, 1 |  | 1.000 | 1.000 | 4.000 (d) | 0.500 |" in text and "| d, 1 | OutOfMemoryError: too large |" in text
    )
    assert "ONNX parser's engine: geometric mean 0.500 of 2 rows, worst 1.000 (a:b, 1)" in text
    assert "torch.compile: geometric mean 0.250 of 1 rows" in text and "torch eager: not measured" in text
    assert (
        "above 0.95 of the ONNX parser's engine: a:b, 1 (1.000)" in text
        and "above 1.02 of the ONNX parser's engine: none" in text
    )


def test_layers_of_a_profile_are_named_by_what_they_do() -> None:
    assert kind_of("__myl_CorrMulAdd_myl0_8", EngineLayer("x", type="runtime_fusion")) == "runtime_fusion CorrMulAdd"
    assert kind_of("__mye3315_myl0_35", EngineLayer("x", type="gemm")) == "gemm" and kind_of("x", None) == ""
    kinds = [{"name": "gemm", "us": 3.0, "layers": 1}]
    layers = [{"module": "a.b", "kind": "gemm", "us": 3.0, "shapes": "[1] -> [2]"}]
    row = {
        "family": "f",
        "batch": 1,
        "route": "onnx",
        "us": 4.0,
        "count": 2,
        "kinds": kinds,
        "modules": kinds,
        "layers": layers,
    }
    assert "| gemm | 3.0 | 75 | 1 |" in profile_table(row) and "| a.b | gemm | 3.0 | [1] -> [2] |" in profile_table(row)


def test_a_row_is_built_once_and_a_route_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_export(*_: object) -> bytes:
        raise ValueError("no export\nat all")

    monkeypatch.setattr("helpers.zoo.engines.exported", no_export)
    torch.manual_seed(0)
    made = families.Family(
        "x:small", torch.nn.Sequential(torch.nn.Conv2d(3, 8, 7, 2, 3), torch.nn.GELU()).eval(), ((3, 16, 16),)
    )
    build_row(tmp_path, made, 2)
    assert routes(tmp_path, "x:small", 2) == ["trtnet", "neutral", "onnx"]
    assert facts(tmp_path, "x:small", 2, "onnx") == {"skipped": "ValueError: no export"}
    assert (
        facts(tmp_path, "x:small", 2, "trtnet")["floor"] > 0
        and facts(tmp_path, "x:small", 1, "trtnet")["skipped"] == "not built"
    )
    files = {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    assert tmp_path / "x_small_2_trtnet.engine" in files
    build_row(tmp_path, made, 2)
    assert {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()} == files
    assert attempt(lambda: {"a": 1}) == {"a": 1}


def test_inputs_are_the_same_each_time_and_tokens_have_a_mask() -> None:
    images = families.Family("x", torch.nn.Identity(), ((3, 4, 4),))
    assert torch.equal(images.inputs(2)[0], images.inputs(2)[0]) and images.inputs(2)[0].shape == (2, 3, 4, 4)
    tokens, mask, kinds = families.Family("x", torch.nn.Identity(), ((5,),) * 3, vocabulary=9).inputs(2)
    assert tokens.max() < 9 and tokens.dtype == torch.int64 and mask.all() and not kinds.any()


def test_the_kernels_of_a_plan_are_read_without_a_gpu() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.LayerNorm(64), torch.nn.Linear(64, 64)).eval()
    engine = trtnet.define(model, {"x": trtnet.Input((8, 64))}, dtype="float16").build()
    plan = engine.plan.data.decode("latin-1")
    norm = [kernel for kernel in fused(plan) if "Mean" in kernel.name]
    assert [kernel.count for kernel in norm] == [1] and norm[0].block[0] > 1
    assert calls(plan).count("fully_connected") == 2
