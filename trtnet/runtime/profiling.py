"""Where the time goes: times of an engine's layers, and what Nsight Systems shall record."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from trtnet.runtime.engine import Engine
from trtnet.support.backend import trt
from trtnet.support.errors import DeviceError


@dataclass(frozen=True)
class LayerTimes:
    """A layer of an engine, often several of the network fused. times: milliseconds, one an execution."""

    name: str
    times: tuple[float, ...]


class LayerProfiler(trt.IProfiler):  # type: ignore[misc]
    """Keeps what TensorRT reports of each layer, execution by execution.

    Several layers of one name are told apart by their order; one that an execution leaves out has a time less.
    """

    def __init__(self) -> None:
        super().__init__()
        self._times: dict[tuple[str, int], list[float]] = {}
        self._seen: dict[str, int] = defaultdict(int)

    def begin(self) -> None:
        """To be called before each execution."""
        self._seen.clear()

    def report_layer_time(self, layer_name: str, ms: float) -> None:
        """Called by TensorRT."""
        self._seen[layer_name] += 1
        self._times.setdefault((layer_name, self._seen[layer_name]), []).append(float(ms))

    def layers(self) -> tuple[LayerTimes, ...]:
        """In the order of execution."""
        return tuple(LayerTimes(name, tuple(times)) for (name, _), times in self._times.items())


def layer_times(
    engine: Engine, inputs: Mapping[str, Any], executions: int = 50, profile: int | None = None
) -> tuple[LayerTimes, ...]:
    """The times of an engine's layers by TensorRT's own profiler, in the order of execution.

    inputs: by name, as in a call. One extra execution runs first and is not reported. TensorRT waits for
    each layer while it measures: the sum is more than an execution takes, and no CUDA graph is used. Empty if the
    backend reports no layers, as TensorRT-RTX may. Raises as a call.
    """
    session = engine.session(profile, cuda_graph=False)
    session(**inputs)
    profiler = LayerProfiler()
    session.report_layers(profiler)
    for _ in range(executions):
        profiler.begin()
        session(**inputs)
    return profiler.layers()


@contextmanager
def capture() -> Iterator[None]:
    """What ``nsys profile --capture-range=cudaProfilerApi`` (and ``ncu``) records: only what happens in the block.

    Raises DeviceError if there is no driver, or the process does not use it yet: call the engine once before.
    """
    _driver_call("cuProfilerStart")
    try:
        yield
    finally:
        _driver_call("cuProfilerStop")


def _driver_call(name: str) -> None:
    try:
        from cuda.bindings import driver

        (status,) = getattr(driver, name)()
    except Exception as error:  # cuda.bindings raises ImportError or RuntimeError where it finds no libcuda
        raise DeviceError(f"no usable GPU driver to call {name} of: {type(error).__name__}: {error}") from error
    if int(status) != 0:
        raise DeviceError(f"{name}: {status.name}; the engine must have been called once before")
