"""The measurement on a fake device, whose clock goes on by a millisecond with each copy and each execution."""

from __future__ import annotations

import gc
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.comparing import network_of
from helpers.runtime.engines import engine_of, x
from helpers.runtime.fakes import Opener

import trtnet
from trtnet.runtime import Engine
from trtnet.runtime.loaded import inspection
from trtnet.support.errors import InputError, ModelError, TrtnetError
from trtnet.tools.bench import feeds, findings
from trtnet.tools.bench.gpus import GPUS, Peaks
from trtnet.tools.bench.loop import Limits
from trtnet.tools.bench.measurement import Measurement, Setting, measured
from trtnet.tools.bench.reports import report, trtexec_export as export
from trtnet.tools.bench.reports.files import Files
from trtnet.tools.bench.target import Target

BRIEF = Setting(Limits(warm_up=4, duration=0.02, iterations=3))


@pytest.fixture
def doubling() -> tuple[Engine, Opener]:
    return engine_of(lambda x: x * 2 + 1)


def measure(made: tuple[Engine, Opener], setting: Setting = BRIEF, n: int = 2) -> Measurement:
    engine, opener = made
    opener.device.activate()
    return measured(engine, {"x": x(n)}, setting, lambda: opener.device)


def test_only_executions(doubling: tuple[Engine, Opener]) -> None:
    found = measure(doubling)
    assert all(sample.compute_ms == 1 and sample.latency_ms == 1 for sample in found.samples)
    assert all(sample.h2d_ms == 0 == sample.d2h_ms for sample in found.samples)
    begins = [sample.compute[0] for sample in found.samples]
    assert begins[0] >= 4 and begins[-1] >= 24 and begins == sorted(begins)
    assert begins[1:] == [sample.compute[1] for sample in found.samples[:-1]], "the next query is queued ahead"
    assert found.timing.throughput == pytest.approx(1000)
    np.testing.assert_array_equal(found.outputs["output"], x() * 2 + 1)
    assert found.shapes == {"x": (2, 3)} and found.device == "Fake GPU"


def test_executions_with_transfers(doubling: tuple[Engine, Opener]) -> None:
    found = measure(doubling, replace(BRIEF, transfers=True))
    assert all(sample.h2d_ms == 1 for sample in found.samples), "waits do not count"
    assert all(sample.compute_ms == 1 and sample.d2h_ms >= 1 for sample in found.samples)
    for one in found.samples:
        assert one.h2d[1] <= one.compute[0] and one.compute[1] <= one.d2h[0]
    assert found.timing.latency.min == 3
    assert found.timing.throughput == pytest.approx(1000 / 3, rel=0.1)


def test_the_engine_runs_as_cuda_graphs_unless_told_otherwise(doubling: tuple[Engine, Opener]) -> None:
    _, opener = doubling
    found = measure(doubling)
    launches = sum(len(graph.launches) for graph in opener.device.graphs)
    assert found.no_cuda_graph == "" and launches >= len(found.samples)
    graphs = len(opener.device.graphs)
    assert measure(doubling, replace(BRIEF, cuda_graph=False)).no_cuda_graph == "cuda_graph=False"
    assert len(opener.device.graphs) == graphs


def test_several_streams_have_a_context_each(doubling: tuple[Engine, Opener]) -> None:
    found = measure(doubling, replace(BRIEF, streams=3))
    assert {sample.stream for sample in found.samples} == {0, 1, 2}
    assert len(doubling[1].engine.contexts) == 3
    assert any("Multiple inference streams" in warning for warning in found.timing.warnings)


def test_at_least_so_many_iterations_of_each_stream(doubling: tuple[Engine, Opener]) -> None:
    limits = Limits(warm_up=4, duration=0, iterations=25)
    found = measure(doubling, Setting(limits, streams=2))
    assert min(sum(one.stream == n for one in found.samples) for n in (0, 1)) >= 25
    assert len(found.samples) <= 2 * 25 + 4


def test_nothing_is_allocated_and_no_garbage_collected_meanwhile(
    doubling: tuple[Engine, Opener], monkeypatch: pytest.MonkeyPatch
) -> None:
    opener = doubling[1]
    seen: set[tuple[int, bool]] = set()
    elapsed = opener.device.elapsed

    def watched(*events: Any) -> float:
        seen.add((opener.device.allocations, gc.isenabled()))
        return elapsed(*events)

    monkeypatch.setattr(opener.device, "elapsed", watched)
    measure(doubling, replace(BRIEF, transfers=True))
    assert len(seen) == 1 and not next(iter(seen))[1]
    assert gc.isenabled()


def test_device_memory_and_the_first_inference(doubling: tuple[Engine, Opener]) -> None:
    found = measure(doubling, n=8)
    assert found.device_memory == 2 * 2 * 8 * 3 * 4, "two slots of an input and an output"
    assert 0 < found.first_inference < 60


def bench(made: tuple[Engine, Opener], setting: Setting = BRIEF, wishes: Any = None) -> report.Bench:
    engine, opener = made
    opener.device.activate()
    target = Target(engine, "doubling", None, {})
    arrays = feeds.feeds(engine.info, {}, {})
    return findings.examine(target, arrays, setting, wishes or findings.Wishes(), lambda: opener.device)


PEAKS = Peaks("a test", 1e6, {"tf32": 1e5, "float32": 1e5})


def test_the_floor(doubling: tuple[Engine, Opener], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(GPUS, "Fake GPU", PEAKS)
    found = bench(doubling)
    assert found.floor is not None
    assert (found.floor.flops, found.floor.bytes) == (2 * 6, 2 * 6 * 4 + 8)
    assert found.floor.compute_ms == pytest.approx(0.12) and found.floor.memory_ms == pytest.approx(0.056)
    assert (found.floor.ms, found.floor.bound) == (found.floor.compute_ms, "compute")
    document = report.to_json(found)["floor"]
    assert document["roofline_percent"] == pytest.approx(12.0)


@pytest.mark.parametrize(
    ("change", "shapes", "peaks", "words"),
    [
        ({}, {"x": (2, 3)}, "Fake GPU", "no data sheet of Fake GPU is kept; --measure-peaks"),
        ({"flops": ()}, {"x": (2, 3)}, PEAKS, "sidecar does not say its operations"),
        ({}, {"x": (4, 3)}, PEAKS, "at a profile's opt shapes, these are others"),
    ],
)
def test_a_floor_that_is_not_known_says_why(
    doubling: tuple[Engine, Opener], change: dict[str, Any], shapes: Any, peaks: Any, words: str
) -> None:
    found, why = findings.known_floor(replace(doubling[0].info, **change), shapes, peaks)
    assert found is None and words in why


def test_without_a_peak_for_the_dtype_the_floor_is_the_memorys(
    doubling: tuple[Engine, Opener], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(GPUS, "Fake GPU", replace(PEAKS, flops={}))
    found = bench(doubling)
    assert found.floor is not None and found.floor.compute_ms is None
    assert (found.floor.ms, found.floor.bound) == (found.floor.memory_ms, "memory")
    assert "by memory alone, float32 has no peak" in " ".join(printed(found, capsys).split())


def test_float32_is_held_against_tensorfloat_32_unless_that_is_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    from trtnet.tools.bench.roofline import floor

    h200 = GPUS["NVIDIA H200"]
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE", raising=False)
    rounded = floor(10**12, 1, "float32", h200)
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    exact = floor(10**12, 1, "float32", h200)
    half, brain = floor(10**12, 1, "float16", h200), floor(10**12, 1, "bfloat16", h200)
    assert (rounded.dtype, exact.dtype) == ("tf32", "float32")
    assert rounded.ms == pytest.approx(1e3 / 494.7) and exact.ms > rounded.ms > half.ms == brain.ms


def test_the_data_sheets_agree_with_themselves() -> None:
    for name, peaks in GPUS.items():
        speeds = [peaks.of(dtype) for dtype in ("float32", "tf32", "float16", "int8", "float8_e4m3fn")]
        known = [speed for speed in speeds if speed is not None]
        assert known == sorted(known), name
        assert 1e11 < peaks.bandwidth < 1e13 and known[0] > 1e12, name


@pytest.fixture
def whole(doubling: tuple[Engine, Opener], monkeypatch: pytest.MonkeyPatch) -> report.Bench:
    """A measurement with everything but other tools."""
    monkeypatch.setitem(GPUS, "Fake GPU", PEAKS)
    engine, opener = doubling
    engine(x())
    opener.engine.layers += ["stem.conv/convolution", "stem/relu", "Reformat"]
    text = json.dumps({"Layers": ["stem.conv/convolution", "stem/relu", "Reformat"], "Bindings": ["x", "output"]})
    monkeypatch.setattr(type(engine), "inspect", lambda _: inspection.Inspection(text, {}))
    return bench(doubling, wishes=findings.Wishes(profile=True))


def printed(found: report.Bench, capsys: pytest.CaptureFixture[str], **options: Any) -> str:
    report.show_bench(found, **({"depth": 1, "json_file": None, "trtexec": False} | options))
    return capsys.readouterr().out


def test_the_tables(whole: report.Bench, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    text = printed(whole, capsys)
    for words in (
        "Function float32, x 2x3: Fake GPU", "GPU Compute Time", "p99", "12.0 % of the roofline", "bound by compute",
        "First inference", "Device memory", "1 stream of two inferences each", "Profile (50 iterations)", "stem",
        "(other)", "1,000.00 qps",
    ):  # fmt: skip
        assert words in text, words


def test_trtexecs_lines_instead(whole: report.Bench, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = printed(whole, capsys, trtexec=True, json_file=str(tmp_path / "b.json"))
    assert "Throughput: 1000 qps\n" in text and "=== Profile (50 iterations ) ===" in text
    assert json.loads((tmp_path / "b.json").read_text())["timing"]["throughput"] == pytest.approx(1000)


def test_json(whole: report.Bench, capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(printed(whole, capsys, json_file="-", trtexec=True))
    assert document["shapes"] == {"x": [2, 3]} and document["device"] == "Fake GPU"
    assert document["timing"]["compute"]["percentiles"] == {"90": 1.0, "95": 1.0, "99": 1.0}
    assert document["profile"]["layers"][0]["modules"] == ["stem.conv"]
    assert document["against"] == []


def test_no_layers_are_said_plainly(doubling: tuple[Engine, Opener], capsys: pytest.CaptureFixture[str]) -> None:
    found = bench(doubling, wishes=findings.Wishes(profile=True))
    assert "reported no layers to TensorRT's profiler" in printed(found, capsys).replace("\n", " ")


def test_files(whole: report.Bench, doubling: tuple[Engine, Opener], tmp_path: Path) -> None:
    names = ("plot.html", "times.json", "profile.json", "output.json", "layers.json")
    files = Files(*(tmp_path / name for name in names))
    files.check()
    files.write(whole, doubling[0], depth=1)
    read = {name: json.loads((tmp_path / name).read_text()) for name in names[1:]}
    assert len(read["times.json"]) == len(whole.measurement.samples)
    assert read["profile.json"][0] == {"count": 50} and len(read["profile.json"]) == 4
    (output,) = read["output.json"]
    assert output["dimensions"] == "2x3" and len(output["values"]) == 6
    assert len(read["layers.json"]["Layers"]) == 3
    page = (tmp_path / "plot.html").read_text()
    assert page.count("<svg") == 1 and "http-equiv" not in page and "<script" not in page
    assert {path.name for path in tmp_path.iterdir()} == set(names)


def test_a_png(whole: report.Bench, tmp_path: Path) -> None:
    files = Files(plot=tmp_path / "p.png")
    files.write(whole, Engine.__new__(Engine), depth=1)
    assert (tmp_path / "p.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_places_that_cannot_be_written_are_refused_before(tmp_path: Path) -> None:
    for files in (Files(times=tmp_path / "none" / "t.json"), Files(plot=tmp_path / "p.gif")):
        with pytest.raises(TrtnetError, match=r"cannot write|\.png or \.html"):
            files.check()


def write(folder: Path, **arrays: np.ndarray) -> Mapping[str, str]:
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return {name: str(folder / f"{name}.npy") for name in arrays}


def test_feeds_are_random_of_the_profiles_opt_shapes_or_from_files(tmp_path: Path) -> None:
    inputs = {"x": trtnet.Input(("n", 3)), "mask": trtnet.Input(("n", "m"), "bool")}
    network = network_of(lambda x, mask: (x * 2, mask), inputs)
    info = network.build([{"n": (1, 2, 8), "m": 4}, {"n": (1, 5, 8), "m": 7}]).info
    shapes = {name: array.shape for name, array in feeds.feeds(info, {}, {}).items()}
    assert shapes == {"x": (2, 3), "mask": (2, 4)}
    assert feeds.feeds(info, {"m": 6}, {}, profile=1)["mask"].shape == (5, 6)
    assert feeds.feeds(info, {}, {}, seed=1)["x"].tolist() == feeds.feeds(info, {}, {}, seed=1)["x"].tolist()
    given = feeds.feeds(info, {}, write(tmp_path, x=x(3)))
    np.testing.assert_array_equal(given["x"], x(3))
    assert given["mask"].shape == (3, 4) and given["mask"].dtype == bool
    with pytest.raises(InputError, match="input x"):
        feeds.feeds(info, {}, write(tmp_path, x=x(3).astype(np.float64)))
    with pytest.raises(InputError, match="n is 3"):
        feeds.feeds(info, {"n": 4}, write(tmp_path, x=x(3), mask=np.ones((4, 4), bool)))
    with pytest.raises(ModelError, match="--dim w: no input has this dimension; the dynamic ones are n, m"):
        feeds.feeds(info, {"w": 1}, {})


def test_exports_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(TrtnetError, match="cannot write"):
        export.write(tmp_path / "none" / "x.json", "{}")
