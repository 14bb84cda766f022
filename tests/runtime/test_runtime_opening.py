"""Opening a plan: what a machine, a driver or a TensorRT that does not fit is said to be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.comparing import network_of
from helpers.runtime.engines import X, x
from helpers.runtime.fakes import FakeDevice

from trtnet.builder import Plan
from trtnet.runtime import Engine, load
from trtnet.runtime.cuda.device import no_gpu
from trtnet.runtime.loaded.load_plan import open_engine
from trtnet.support import backend
from trtnet.support.backend import trt
from trtnet.support.errors import DeviceError, PlanError


class FakeRuntime:
    """A trt.Runtime that refuses plans, or not."""

    def __init__(self, says: str = "") -> None:
        self.says = says
        self.error_recorder: Any = None

    def deserialize_cuda_engine(self, data: bytes) -> Any:
        if self.says:
            self.error_recorder.report_error(trt.ErrorCodeTRT.INTERNAL_ERROR, self.says)
            return None
        return ("engine", len(data))


@pytest.fixture(scope="module")
def plan() -> Plan:
    return network_of(lambda x: x * 2, X).build({"n": 2}).plan


def opened(plan: Plan, says: str = "") -> Any:
    return open_engine(plan, 0, FakeDevice, lambda: FakeRuntime(says))


def test_the_runtime_lives_as_long_as_the_engine(plan: Plan) -> None:
    found = opened(plan)
    assert found.engine == ("engine", len(plan.data)) and isinstance(found.runtime, FakeRuntime)


def test_a_gpu_that_tensorrt_does_not_support(plan: Plan) -> None:
    says = "Target GPU has compute capability 9.0, this version does not support this compute capability"
    with pytest.raises(DeviceError, match=rf"does not run this plan on this GPU\n  TensorRT: {says}(.|\n)*reference"):
        opened(plan, says)


def test_a_plan_of_another_version(plan: Plan) -> None:
    other = replace(plan, info=replace(plan.info, backend_version="9.9"))
    with pytest.raises(PlanError, match=r"refuses this plan\n  TensorRT: bad magic\n  9.9 built it.*build it again"):
        opened(other, "bad magic")


def test_a_plan_of_this_version_for_another_gpu(plan: Plan) -> None:
    with pytest.raises(PlanError, match="refuses this plan\n  TensorRT: no kernels\n  a plan runs on the GPUs"):
        opened(plan, "no kernels")


def test_a_runtime_that_does_not_start(plan: Plan) -> None:
    def runtime() -> Any:
        raise TypeError("factory function returned nullptr")

    with pytest.raises(DeviceError, match=f"{backend.name()} .* does not run on this GPU and driver: factory"):
        open_engine(plan, 0, FakeDevice, runtime)


def test_a_plan_of_another_backend_touches_no_device(plan: Plan) -> None:
    def device() -> Any:
        raise AssertionError

    other = replace(plan, info=replace(plan.info, backend="other"))
    with pytest.raises(PlanError, match=r"built with other .*, this process uses"):
        open_engine(other, 0, device)


def test_loading(plan: Plan, tmp_path: Path) -> None:
    Engine(plan).save(tmp_path / "a.engine")
    for found in (Engine.load(tmp_path / "a.engine"), load(tmp_path / "a.engine")):
        assert found.info == plan.info and found.plan.data == plan.data
        assert [str(info) for info in (*found.inputs, *found.outputs)] == ["x [n, 3] float32", "output [n, 3] float32"]


class DynamicLibNotFoundError(RuntimeError):
    """As cuda.pathfinder's."""


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            DynamicLibNotFoundError('"cuda" is an NVIDIA driver library'),
            "the NVIDIA driver's library libcuda is missing",
        ),
        (RuntimeError("CUDA_ERROR_NO_DEVICE: no CUDA-capable device"), "the NVIDIA driver finds no such GPU"),
        (ValueError("device_id must be within [0, 1), got 1"), "the NVIDIA driver finds no such GPU"),
        (RuntimeError("CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"), "the NVIDIA driver is too old"),
        (RuntimeError("Function cuFoo not found"), "the NVIDIA driver is too old"),
        (ModuleNotFoundError("No module named 'cuda'"), "cuda-core and cuda-bindings are not installed"),
        (RuntimeError("CUDA_ERROR_UNKNOWN"), "the NVIDIA driver does not work"),
    ],
)
def test_what_is_found_where_there_is_no_gpu(error: Exception, text: str) -> None:
    message = str(no_gpu(error))
    assert text in message and str(error) in message
    assert "network.reference() runs the same network on the CPU; `trtnet doctor`" in message


def test_a_failed_opening_is_tried_again(plan: Plan) -> None:
    tries: list[Plan] = []

    def opener(given: Plan, device: int) -> Any:
        tries.append(given)
        raise DeviceError("busy")

    engine = Engine(plan, opener)
    for _ in range(2):
        with pytest.raises(DeviceError, match="busy"):
            engine(x())
    assert tries == [plan, plan]
