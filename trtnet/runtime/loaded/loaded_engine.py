"""A deserialized engine on its device, and what everything that uses it shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol
from weakref import WeakSet

from trtnet.builder.plan import PlanInfo
from trtnet.runtime.cuda.interface import Device
from trtnet.runtime.cuda.torch_tensors import Torch
from trtnet.runtime.loaded.kernel_cache import RuntimeCache
from trtnet.support import dtypes
from trtnet.support.backend import supports, trt
from trtnet.support.call_interface import TensorInfo
from trtnet.support.diagnostics import ErrorRecorder
from trtnet.support.errors import PlanError


class Closable(Protocol):
    """What holds something of an engine, and lets go of it when it is closed."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class OpenEngine:
    """A deserialized engine on its device.

    recorder: where it reports errors. runtime: what must live as long. torch: makes what tensors are handled with.
    specialize: whether TensorRT-RTX may compile kernels for the shapes it sees; None for what
    :func:`~trtnet.runtime.execution.context_options.specializes` says. cache: where it keeps them. users: the sessions
    and whatever else holds memory for it, to be closed with it. contexts: TensorRT's execution contexts that are open.
    communicator: of one rank of several, as TensorRT takes it.
    """

    engine: trt.ICudaEngine
    device: Device
    recorder: ErrorRecorder
    info: PlanInfo
    runtime: Any = None
    torch: Callable[[], Any] = Torch
    specialize: bool | None = None
    cache: RuntimeCache | None = None
    communicator: Any = None
    users: WeakSet[Any] = field(default_factory=WeakSet, compare=False)
    contexts: WeakSet[Closable] = field(default_factory=WeakSet, compare=False)

    def aliases(self) -> dict[str, str]:
        """The outputs that are written in an input's place: output -> input."""
        if not supports("aliased_io"):
            return {}
        found = {info.name: self.engine.get_aliased_input_tensor(info.name) for info in self.info.outputs}
        return {output: name for output, name in found.items() if name}

    def check_movable(self) -> None:
        """Raises PlanError for inputs or outputs that this runtime does not move."""
        for info in (*self.info.inputs, *self.info.outputs):
            _check_movable(info, self.engine)


def _check_movable(info: TensorInfo, engine: trt.ICudaEngine) -> None:
    if dtypes.get(info.dtype).bits < 8:
        raise PlanError(f"{info}: this runtime does not move packed {info.dtype} values in or out of an engine")
    on_host = engine.get_tensor_location(info.name) == trt.TensorLocation.HOST
    if on_host and not info.values:
        raise PlanError(f"{info} is a shape input, in host memory: its values need names, see trtnet.Input")
    if info.values and not on_host:
        raise PlanError(f"{info} is a shape input in device memory, which is not supported")
