"""All that `trtnet bench` finds: the times, and beside them the floor, the layers' times, other tools'."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trtnet.builder import PlanInfo
from trtnet.runtime import Engine
from trtnet.runtime.cuda.device import CudaDevice
from trtnet.runtime.cuda.interface import Device
from trtnet.runtime.profiling import layer_times
from trtnet.tools.bench.gpus import GPUS, Peaks
from trtnet.tools.bench.measurement import Setting, measured
from trtnet.tools.bench.other_tools.against import Rival, compare
from trtnet.tools.bench.other_tools.originals import original
from trtnet.tools.bench.peaks import measured_peaks
from trtnet.tools.bench.profile import Profile, profile
from trtnet.tools.bench.reports.report import Bench
from trtnet.tools.bench.roofline import Floor, floor
from trtnet.tools.bench.target import Target
from trtnet.tools.inspect.engine import parse

Arrays = Mapping[str, Any]
EXECUTIONS = 50
"""Inferences of which the profiler takes the layers' times."""


@dataclass(frozen=True)
class Wishes:
    """What to find beside the times.

    profile: the layers' times. measure_peaks: the GPU's speeds by measuring, not by its data sheet. routes: other tools
    (:func:`trtnet.tools.bench.other_tools.against.routes`). factory: what makes the PyTorch original,
    ``path.py:factory``.
    """

    profile: bool = False
    measure_peaks: bool = False
    routes: tuple[str, ...] = ()
    factory: str | None = None


def examine(
    target: Target,
    inputs: Arrays,
    setting: Setting,
    wishes: Wishes,
    device: Callable[[], Device] = CudaDevice,
) -> Bench:
    """Measures an engine that was not used before. Raises as the engine's first call, and what the parts raise.

    device: the GPU that the engine will be on.
    """
    engine = target.engine
    # before anything is measured: it may be missing
    model = None
    if wishes.routes:
        model = original(wishes.factory, target.name, target.checkpoint, engine.info.dtype, target.original)
    found = measured(engine, inputs, setting, device)
    peaks = measured_peaks(device(), engine.info.dtype) if wishes.measure_peaks else found.device
    made, unknown = known_floor(engine.info, found.shapes, peaks)
    layers = profiled(engine, inputs, setting.profile) if wishes.profile else None
    others = rivals(engine, model, inputs, wishes.routes) if wishes.routes else ()
    return Bench(engine.info, found, made, unknown, layers, others)


def known_floor(info: PlanInfo, shapes: Mapping[str, tuple[int, ...]], peaks: Peaks | str) -> tuple[Floor | None, str]:
    """The floor of an inference of these shapes, or None and why it is not known.

    peaks: of the GPU, or its name for the data sheet's.
    """
    found = GPUS.get(peaks) if isinstance(peaks, str) else peaks
    if found is None:
        return None, f"not known: no data sheet of {peaks} is kept; --measure-peaks measures instead"
    if not info.flops:
        return None, "not known: the plan's sidecar does not say its operations; build it again"
    at = [
        index for index, one in enumerate(info.profiles) if {name: opt for name, (_, opt, _) in one.items()} == shapes
    ]
    if not at:
        return None, "not known: the plan's sidecar says the operations at a profile's opt shapes, these are others"
    return floor(info.flops[at[0]], info.minimum_bytes[at[0]], info.dtype, found), ""


def profiled(engine: Engine, inputs: Arrays, profile_index: int | None) -> Profile:
    """The times of the engine's layers. Raises as a call."""
    times = layer_times(engine, inputs, EXECUTIONS, profile_index)
    description = parse(engine.inspect().layers) if times else None
    return profile(times, EXECUTIONS, description)


def rivals(engine: Engine, model: Any, inputs: Arrays, routes: Sequence[str]) -> tuple[Rival, ...]:
    """Times of other tools. model: the PyTorch original, on the CPU. Raises what exporting and building it raise."""
    from trtnet.reference.step import to_torch  # needs torch, which the rest does not

    return compare(engine, model, {name: to_torch(array).cuda() for name, array in inputs.items()}, routes)
