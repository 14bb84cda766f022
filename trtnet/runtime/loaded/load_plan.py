"""Deserializes a plan on a GPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trtnet.builder.plan import Plan, PlanInfo
from trtnet.runtime.cuda.device import CudaDevice
from trtnet.runtime.cuda.interface import Device
from trtnet.runtime.loaded.loaded_engine import OpenEngine
from trtnet.support import backend
from trtnet.support.backend import trt
from trtnet.support.diagnostics import ErrorRecorder, logger
from trtnet.support.errors import DeviceError, PlanError, TrtnetError

Opener = Callable[[Plan, int], OpenEngine]
"""Opens a plan on the GPU of a number."""


def open_engine(
    plan: Plan,
    index: int = 0,
    device: Callable[[int], Device] = CudaDevice,
    runtime: Callable[[], Any] = lambda: trt.Runtime(logger),
) -> OpenEngine:
    """Deserializes a plan on the GPU of a number, as torch counts.

    Raises PlanError for a plan of another backend, DeviceError where there is no usable GPU or TensorRT refuses the
    one there is, PlanError with TensorRT's words if it refuses the plan.
    """
    info = plan.info
    if info.backend != backend.name():
        raise PlanError(
            f"the engine was built with {info.backend} {info.backend_version}, this process uses {backend.name()}"
            f" {backend.version()}: set TRTNET_BACKEND={info.backend}, or build it again"
        )
    opened = device(index)
    recorder = ErrorRecorder()
    try:
        maker = runtime()
    except (TypeError, RuntimeError) as error:  # pybind11's words for TensorRT making none
        raise DeviceError(
            f"{backend.name()} {backend.version()} does not run on this GPU and driver: {error}"
        ) from error
    maker.error_recorder = recorder
    engine = maker.deserialize_cuda_engine(plan.data)
    if engine is None:
        raise _refusal(info, recorder.lines())
    return OpenEngine(engine, opened, recorder, info, maker)


def _refusal(info: PlanInfo, said: str) -> TrtnetError:
    running = f"{backend.name()} {backend.version()}"
    if "compute capability" in said.lower():
        return DeviceError(
            f"{running} does not run this plan on this GPU{said}\n"
            f"  use a TensorRT that supports this GPU, or build the plan for it; `trtnet doctor` shows both.\n"
            f"  network.reference() runs the same network on the CPU"
        )
    if info.backend_version != backend.version():
        advice = f"{info.backend_version} built it, and a plan loads in the version that built it: build it again"
    else:
        advice = "a plan runs on the GPUs it was built for: build it again here; see `trtnet doctor`"
    return PlanError(f"{running} refuses this plan{said}\n  {advice}")
