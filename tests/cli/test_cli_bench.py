"""`trtnet bench` as it is typed, its engine on a fake device."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from helpers.runtime.engines import engine_of, x
from helpers.runtime.fakes import Opener
from typer.testing import CliRunner

from trtnet.cli.main import app
from trtnet.support.errors import InputError, ModelError, PlanError, TrtnetError
from trtnet.tools.bench import findings, target

BRIEF = ("--warm-up", "4", "--duration", "0.02", "--iterations", "3")


@pytest.fixture
def opener(monkeypatch: pytest.MonkeyPatch) -> Opener:
    engine, opener = engine_of(lambda x: x * 2 + 1)
    opener.device.activate()
    made = target.Target(engine, "doubling", None, {})
    monkeypatch.setattr(target, "open_target", lambda name, choices: made)
    monkeypatch.setattr(findings, "examine", partial(findings.examine, device=lambda: opener.device))
    monkeypatch.setenv("COLUMNS", "150")
    return opener


def bench(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["bench", "d.engine", *BRIEF, *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_tables_and_files(opener: Opener, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", x(7))
    files = [f"--export-{name}={tmp_path / name}.json" for name in ("times", "output")]
    text = bench(f"--input=x={tmp_path / 'x.npy'}", *files, f"--plot={tmp_path / 'p.html'}", f"--json={tmp_path / 'b'}")
    assert "GPU Compute Time" in text and "not known: no data sheet of Fake GPU" in text
    document = json.loads((tmp_path / "b").read_text())
    assert document["shapes"] == {"x": [7, 3]} and document["setting"]["streams"] == 1
    (output,) = json.loads((tmp_path / "output.json").read_text())
    assert output["values"] == (x(7) * 2 + 1).ravel().tolist()
    assert len(json.loads((tmp_path / "times.json").read_text())) == document["timing"]["queries"]
    assert (tmp_path / "p.html").read_text().startswith("<!doctype html>")


def test_every_setting_arrives(opener: Opener) -> None:
    options = "--streams", "2", "--transfers", "--no-cuda-graph", "--profile-index", "0", "--percentile", "50"
    document = json.loads(bench(*options, "--json", "-"))
    setting = document["setting"]
    assert setting["limits"] == {"warm_up": 4.0, "duration": 0.02, "iterations": 3}
    assert (setting["streams"], setting["transfers"], setting["cuda_graph"], setting["profile"]) == (2, True, False, 0)
    assert list(document["timing"]["compute"]["percentiles"]) == ["50"]
    assert document["timing"]["h2d"]["min"] >= 1


def test_trtexecs_lines(opener: Opener) -> None:
    opener.device.activate()
    text = bench("--trtexec")
    assert "=== Performance summary ===\nThroughput: 1000 qps\nLatency: min = 1 ms, max = 1 ms" in text


def test_measured_peaks_are_the_devices(opener: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trtnet.tools.bench.peaks.COPIED", 1 << 20)
    floor = json.loads(bench("--measure-peaks", "--json", "-"))["floor"]
    assert floor["source"] == "measured: a copy of 1 MiB" and floor["compute_ms"] is None, "torch sees no GPU"
    assert floor["memory_ms"] == pytest.approx(1e3 * (2 * 6 * 4 + 8) / (2 * (1 << 20) / 1e-3))


def test_mistakes_are_named_before_anything_is_measured(opener: Opener, tmp_path: Path) -> None:
    for arguments, error, words in (
        ((f"--plot={tmp_path / 'p.jpg'}",), TrtnetError, r"\.png or \.html"),
        ((f"--export-times={tmp_path / 'none' / 't.json'}",), TrtnetError, "cannot write"),
        ((f"--input=x={tmp_path / 'none.npy'}",), InputError, "cannot read"),
        (("--against=tvm",), InputError, "--against takes torch, compile, onnx"),
        (("--against=torch", "--torch=none.py:net"), ModelError, "no model file none.py"),
    ):
        with pytest.raises(error, match=words):
            bench(*arguments)
    assert opener.engines == []


def test_a_missing_engine_is_not_a_model() -> None:
    with pytest.raises(PlanError, match=r"cannot read the engine nothere\.engine: No such file"):
        CliRunner().invoke(app, ["bench", "nothere.engine"], catch_exceptions=False)
