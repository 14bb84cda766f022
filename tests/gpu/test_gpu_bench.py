"""`trtnet bench` on a real GPU, briefly; tests/conftest.py skips it where there is none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import trtnet
from trtnet import models
from trtnet.cli.main import app
from trtnet.runtime import profiling
from trtnet.tools.bench.feeds import RandomWeights

pytestmark = [pytest.mark.gpu, pytest.mark.alone]

BRIEF = ("--warm-up", "20", "--duration", "0.2")


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bench") / "r18.engine"
    model = models.resnet18()
    network = trtnet.define(model, weights=RandomWeights(model, "float16"), dtype="float16", name="resnet18")
    network.build(dims={"batch": (1, 8, 16)}).save(path)
    return path


def bench(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["bench", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_times_floor_memory_and_layers(plan: Path, tmp_path: Path) -> None:
    names = ("times", "profile", "output", "layer-info")
    exports = [f"--export-{name}={tmp_path / name}.json" for name in names]
    text = bench(
        str(plan), *BRIEF, "--profile", *exports, f"--plot={tmp_path / 'p.png'}", f"--json={tmp_path / 'b.json'}"
    )
    print(text)
    document = json.loads((tmp_path / "b.json").read_text())
    timing = document["timing"]
    assert document["shapes"] == {"image": [8, 3, 224, 224]} and document["no_cuda_graph"] == ""
    assert timing["queries"] >= 10 and 0.01 < timing["compute"]["median"] < 100
    assert timing["throughput"] == pytest.approx(1e3 / timing["compute"]["mean"], rel=0.2)
    assert timing["latency"] == timing["compute"], "without transfers"
    assert document["device_memory_bytes"] > 20e6 and 0 < document["first_inference_s"] < 120
    assert len(json.loads((tmp_path / "times.json").read_text())) == timing["queries"]
    assert json.loads((tmp_path / "profile.json").read_text())[0] == {"count": 50}
    (output,) = json.loads((tmp_path / "output.json").read_text())
    assert output["dimensions"] == "8x1000" and None not in output["values"]
    assert json.loads((tmp_path / "layer-info.json").read_text())["Layers"]
    assert (tmp_path / "p.png").stat().st_size > 10_000
    if "unknown" not in document["floor"]:
        assert 0 < document["floor"]["roofline_percent"] < 100


def test_transfers_streams_and_no_graph(plan: Path, tmp_path: Path) -> None:
    options = "--transfers", "--streams", "2", "--no-cuda-graph", "--dim", "batch=16", "--percentile", "50"
    text = bench(str(plan), *BRIEF, *options, "--trtexec", f"--json={tmp_path / 'b.json'}")
    assert "=== Performance summary ===" in text and "percentile(50%) = " in text
    document = json.loads((tmp_path / "b.json").read_text())
    assert document["timing"]["h2d"]["median"] > 0.02 and document["timing"]["d2h"]["median"] > 0
    assert document["no_cuda_graph"] == "cuda_graph=False" and document["shapes"]["image"][0] == 16


def test_measured_peaks(plan: Path, tmp_path: Path) -> None:
    bench(str(plan), *BRIEF, "--measure-peaks", f"--json={tmp_path / 'b.json'}")
    floor = json.loads((tmp_path / "b.json").read_text())["floor"]
    assert floor["source"].startswith("measured: a copy of") and 0 < floor["roofline_percent"] < 100


def test_against_torch_and_the_onnx_route(tmp_path: Path) -> None:
    options = "--dtype", "float16", "--dim", "batch=2", "--against", "torch,onnx", f"--json={tmp_path / 'b.json'}"
    print(bench("resnet18", *BRIEF, *options))
    rivals = {one["route"]: one for one in json.loads((tmp_path / "b.json").read_text())["against"]}
    assert set(rivals) == {"torch", "onnx", "trtnet"}
    assert rivals["torch"]["difference"] == 0 and rivals["trtnet"]["difference"] < 2e-2 > rivals["onnx"]["difference"]


def test_a_block_that_nsys_records(plan: Path) -> None:
    engine = trtnet.load(plan)
    session = engine.session(nvtx="detailed")
    image = np.ones((1, 3, 224, 224), np.float16)
    before = session(image)
    with profiling.capture():
        recorded = session(image)
    assert before.shape == (1, 1000) and np.abs(before).max() > 0
    np.testing.assert_array_equal(recorded, before)
