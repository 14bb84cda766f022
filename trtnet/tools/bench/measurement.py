"""A measurement of one engine, from its loading to the last inference."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trtnet.runtime import Engine
from trtnet.runtime.cuda.device import CudaDevice
from trtnet.runtime.cuda.interface import Device
from trtnet.runtime.loaded.loaded_engine import OpenEngine
from trtnet.runtime.serving.shared_context import Stages
from trtnet.runtime.serving.slot import Slot
from trtnet.tools.bench.loop import SLOTS, Lane, Limits, measure
from trtnet.tools.bench.statistics import PERCENTILES
from trtnet.tools.bench.timed_inference import TimedInference
from trtnet.tools.bench.timing import Timing, timing

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Setting:
    """How to measure.

    streams: how many inferences may run side by side. transfers: whether the inputs' and outputs' ways between host and
    GPU are part of each. profile: the optimization profile; None for one that takes the shapes.
    """

    limits: Limits = field(default_factory=Limits)
    streams: int = 1
    transfers: bool = False
    cuda_graph: bool = True
    profile: int | None = None
    percentiles: tuple[int, ...] = PERCENTILES


@dataclass(frozen=True)
class Measurement:
    """What was measured.

    device: the GPU's name. first_inference: seconds from the plan in memory to the first outputs on the host.
    device_memory: bytes of the GPU's memory that were taken at most, weights and all slots' buffers together.
    no_cuda_graph: why executions were queued one by one; "" if they were graphs. outputs: of one inference.
    """

    device: str
    shapes: dict[str, tuple[int, ...]]
    setting: Setting
    samples: tuple[TimedInference, ...]
    timing: Timing
    first_inference: float
    device_memory: int
    no_cuda_graph: str
    outputs: dict[str, Array]


def measured(
    engine: Engine,
    inputs: Mapping[str, Array],
    setting: Setting,
    device: Callable[[], Device] = CudaDevice,
) -> Measurement:
    """Measures an engine that was not used before, on its GPU.

    device: the GPU that the engine will be on, asked for its free memory before. Raises as the first call.
    """
    gpu = device()
    before = gpu.free_memory()
    start = time.perf_counter()
    opened = engine.open()
    lanes = [_lane(0, opened, setting)]
    outputs = lanes[0].first(inputs)
    first_inference = time.perf_counter() - start
    lanes += [_lane(number, opened, setting) for number in range(1, setting.streams)]
    for lane in lanes:
        lane.prepare(inputs)
    samples = measure(lanes, setting.limits)
    return Measurement(
        device=opened.device.name,
        shapes={name: tuple(array.shape) for name, array in inputs.items()},
        setting=setting,
        samples=samples,
        timing=timing(samples, setting.percentiles),
        first_inference=first_inference,
        device_memory=before - gpu.free_memory(),
        no_cuda_graph=lanes[0].slots[0].no_cuda_graph,
        outputs=outputs,
    )


def _lane(number: int, opened: OpenEngine, setting: Setting) -> Lane:
    stages = Stages(opened, profile=setting.profile, cuda_graph=setting.cuda_graph)
    return Lane(number, opened.device, stages, [Slot(stages) for _ in range(SLOTS)], setting.transfers)
