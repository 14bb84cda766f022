"""Times of layers, and what Nsight Systems is told; on a fake device, driver and nvtx."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers.runtime.engines import engine_of, x
from helpers.runtime.fakes import Opener

from trtnet.runtime import Engine, profiling
from trtnet.runtime.profiling import LayerProfiler, LayerTimes, layer_times
from trtnet.support.backend import trt
from trtnet.support.errors import DeviceError, InputError


@pytest.fixture
def doubling() -> tuple[Engine, Opener]:
    return engine_of(lambda x: x * 2 + 1)


def test_times_of_layers_but_for_the_first_execution(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    engine(x())
    opener.engine.layers += ["conv/convolution", "relu"]
    found = layer_times(engine, {"x": x()}, executions=3)
    assert found == (LayerTimes("conv/convolution", (0.5, 0.75, 1.0)), LayerTimes("relu", (0.5, 0.75, 1.0)))
    assert opener.device.graphs == [], "a graph's launch is not profiled"


def test_layers_of_one_name_are_told_apart_and_one_may_be_left_out() -> None:
    profiler = LayerProfiler()
    for names in (["a", "a", "b"], ["a", "a"], ["a", "a", "b"]):
        profiler.begin()
        for i, name in enumerate(names):
            profiler.report_layer_time(name, float(i))
    found = profiler.layers()
    assert [(layer.name, layer.times) for layer in found] == [
        ("a", (0.0, 0.0, 0.0)),
        ("a", (1.0, 1.0, 1.0)),
        ("b", (2.0, 2.0)),
    ]


def test_a_backend_that_reports_no_layers(doubling: tuple[Engine, Opener]) -> None:
    assert layer_times(doubling[0], {"x": x()}, executions=2) == ()


def test_tensorrts_ranges(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    engine.session(nvtx="detailed")
    assert opener.engine.contexts[-1].nvtx_verbosity == trt.ProfilingVerbosity.DETAILED
    engine.session()
    assert opener.engine.contexts[-1].nvtx_verbosity is None
    with pytest.raises(InputError, match="nvtx is one of detailed, layer_names_only, none; found 'loud'"):
        engine.session(nvtx="loud")


def fake_nvtx(monkeypatch: pytest.MonkeyPatch, opener: Opener) -> list[str]:
    """What ranges begin, and after how many executions they end."""
    seen: list[str] = []

    @contextmanager
    def annotate(name: str, domain: str) -> Any:
        seen.append(f"{domain} {name} begins")
        yield
        seen.append(f"{domain} {name} ends after {opener.engine.contexts[-1].executions}")

    nvtx = ModuleType("nvtx")
    nvtx.annotate = annotate  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "nvtx", nvtx)
    return seen


def test_a_range_around_each_call(doubling: tuple[Engine, Opener], monkeypatch: pytest.MonkeyPatch) -> None:
    engine, opener = doubling
    seen = fake_nvtx(monkeypatch, opener)
    np.testing.assert_array_equal(engine.session(nvtx="detailed")(x()), x() * 2 + 1)
    assert seen == ["trtnet Function begins", "trtnet Function ends after 1"]
    engine.session()(x())
    assert len(seen) == 2, "nothing is named where it was not asked for"


def test_ranges_of_a_pipelines_stages(doubling: tuple[Engine, Opener], monkeypatch: pytest.MonkeyPatch) -> None:
    engine, opener = doubling
    seen = fake_nvtx(monkeypatch, opener)
    (found,) = engine.pipeline([x()], nvtx="detailed")
    np.testing.assert_array_equal(found, x() * 2 + 1)
    assert opener.engine.contexts[-1].nvtx_verbosity == trt.ProfilingVerbosity.DETAILED
    begun = [line.removesuffix(" begins") for line in seen if line.endswith("begins")]
    assert begun == [f"trtnet Function {stage}" for stage in ("upload", "compute", "download", "collect")]
    assert "trtnet Function compute ends after 1" in seen
    assert list(engine.pipeline([x()] * 2))[1].shape == (2, 3) and len(seen) == 8, "not without nvtx="


def test_without_the_package_there_are_no_ranges(
    doubling: tuple[Engine, Opener], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nvtx", None)
    np.testing.assert_array_equal(doubling[0].session(nvtx="none")(x()), x() * 2 + 1)


def fake_driver(monkeypatch: pytest.MonkeyPatch, status: int) -> list[str]:
    driver, called = pytest.importorskip("cuda.bindings.driver"), []

    class Status(SimpleNamespace):
        def __int__(self) -> int:
            return status

    for name in ("cuProfilerStart", "cuProfilerStop"):
        monkeypatch.setattr(driver, name, lambda name=name: (called.append(name), (Status(name="BROKEN"),))[1])
    return called


def test_a_block_that_nsys_records(monkeypatch: pytest.MonkeyPatch) -> None:
    called = fake_driver(monkeypatch, 0)
    with pytest.raises(KeyError), profiling.capture():
        called.append("inside")
        raise KeyError
    assert called == ["cuProfilerStart", "inside", "cuProfilerStop"]


def test_a_driver_that_cannot_be_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_driver(monkeypatch, 3)
    with (
        pytest.raises(DeviceError, match="cuProfilerStart: BROKEN; the engine must have been called"),
        profiling.capture(),
    ):
        pass


def test_no_driver() -> None:
    try:
        with profiling.capture():
            pytest.skip("there is a driver")
    except DeviceError as error:
        assert "no usable GPU driver" in str(error) or "must have been called" in str(error)
