"""A built engine: to save anywhere, and to call where there is a GPU."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from trtnet import backend
from trtnet.backend import trt
from trtnet.builder.plan import Plan, PlanInfo
from trtnet.calling import TensorInfo
from trtnet.checkpoint import Source, open_checkpoint
from trtnet.diagnostics import ErrorRecorder, logger
from trtnet.errors import DeviceError, PlanError, TrtnetError
from trtnet.runtime.cache import RuntimeCache, cache_path
from trtnet.runtime.context import OpenEngine, words
from trtnet.runtime.device import CudaDevice, Device
from trtnet.runtime.inspection import Inspection, inspect
from trtnet.runtime.pending import Pending
from trtnet.runtime.refit import check_refittable, refitted
from trtnet.runtime.session import Session

Opener = Callable[[Plan], OpenEngine]


def open_engine(
    plan: Plan, device: Callable[[], Device] = CudaDevice, runtime: Callable[[], Any] = lambda: trt.Runtime(logger)
) -> OpenEngine:
    """Deserializes a plan on the first GPU.

    Raises PlanError for a plan of another backend, DeviceError where there is no usable GPU or TensorRT refuses the
    one there is, PlanError with TensorRT's words if it refuses the plan.
    """
    info = plan.info
    if info.backend != backend.name():
        raise PlanError(
            f"the engine was built with {info.backend} {info.backend_version}, this process uses {backend.name()}"
            f" {backend.version()}: set TRTNET_BACKEND={info.backend}, or build it again"
        )
    opened = device()
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
        raise _refusal(info, words(recorder))
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


class Engine:
    """A built engine. Making one touches no GPU; the first call loads it there.

    ``engine(image)`` runs it: inputs by position or by name, numpy arrays or torch CUDA tensors, outputs of the same
    kind (one array, or a dict by name). Several threads may call it; each call uses a session of its own, which goes
    back to a pool when the call is done.

    An engine that is in a file keeps the kernels that TensorRT-RTX compiles for this GPU in another beside it, so that
    the next process starts at once: see :mod:`trtnet.runtime.cache`.

    specialize: whether TensorRT-RTX may compile kernels for the very shapes it sees. None leaves it to trtnet, which
    does not allow it for dynamic float32 networks: TensorRT-RTX 1.6 computes some of them wrong with such kernels, and
    some much slower without. Set it to True before the first call where you have compared the results.
    """

    def __init__(self, plan: Plan, opener: Opener = open_engine, path: Path | None = None) -> None:
        self.plan = plan
        self._path = path
        self.specialize: bool | None = None
        self._opener = opener
        self._opened: OpenEngine | None = None
        self._idle: list[Session] = []
        self._lock = threading.Lock()

    @classmethod
    def load(cls, path: str | os.PathLike[str], weights: Source | None = None) -> Engine:
        """Reads a plan and its sidecar. weights: those of a stripped plan, which then needs a GPU: see :meth:`refit`.

        Raises PlanError if one is missing, corrupt, or not the other's, and what refit raises.
        """
        engine = cls(Plan.load(path), path=Path(path))
        if weights is not None:
            engine.refit(weights)
        return engine

    @property
    def info(self) -> PlanInfo:
        """What the sidecar says of it."""
        return self.plan.info

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        return self.info.inputs

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        return self.info.outputs

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the plan to `path` and its sidecar to `path`.json. Raises PlanError if it cannot."""
        self.plan.save(path)
        self._path = Path(path)

    def refit(self, weights: Source) -> None:
        """Replaces all weights of an engine that was built with refit, by their checkpoint keys; or none of them.

        weights: a checkpoint with the keys that the engine was built from, in any dtype that can be cast to theirs.
        The plan is another one afterwards; sessions opened before keep the old weights.
        Raises PlanError for an engine that cannot be refitted, WeightsError for keys or sizes that do not fit,
        DeviceError where there is no GPU, TrtnetError in TensorRT's words if it fails.
        """
        check_refittable(self.info)
        with self._lock:
            opened = self._opener(self.plan)
            checkpoint = open_checkpoint(weights)
            data = refitted(opened, self.info, checkpoint)
            info = replace(self.info, checkpoint_digest=checkpoint.digest(), stripped=False)
            self.plan, self._opened, self._idle = Plan(data, info), None, []

    def session(
        self, profile: int | None = None, *, stream: Any = None, cuda_graph: bool = True, nvtx: str | None = None
    ) -> Session:
        """An execution context of its own, for calls that keep their buffers and stream: see :class:`Session`.

        Raises as the first call.
        """
        return Session(self._open(), profile, stream=stream, cuda_graph=cuda_graph, nvtx=nvtx)

    def inspect(self) -> Inspection:
        """What TensorRT says of the engine's layers and memory; ``trtnet inspect`` reads it.

        Raises as the first call, and TrtnetError if TensorRT says nothing.
        """
        return inspect(self._open())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the engine and waits: see :meth:`Session.submit`. Raises DeviceError where there is no GPU."""
        return self.submit(*args, **kwargs).result()

    def submit(self, *args: Any, **kwargs: Any) -> Pending:
        """Queues a call and returns at once; ``.result()`` waits: see :meth:`Session.submit`.

        Calls under way use a session each, with device memory of its own, until their result is asked for.
        """
        session = self._take()
        try:
            return session.start(args, kwargs, lambda: self._give(session))
        except BaseException:
            self._give(session)
            raise

    def open(self) -> OpenEngine:
        """The engine on its GPU, where it is loaded once: what sessions and slots are made of.

        Raises as the first call.
        """
        return self._open()

    def _open(self) -> OpenEngine:
        if self.info.stripped:
            raise PlanError("the plan was stripped of its weights: trtnet.load(path, weights=...) puts them in")
        with self._lock:
            if self._opened is None:
                opened = self._opener(self.plan)
                self._opened = replace(opened, specialize=self.specialize, cache=self._cache(opened.device))
                if self._opened.cache is not None:
                    weakref.finalize(self._opened, self._opened.cache.close)
            return self._opened

    def _cache(self, device: Device) -> RuntimeCache | None:
        if self._path is None or not backend.supports("runtime_cache"):
            return None
        return RuntimeCache(cache_path(self._path, device.name))

    def _take(self) -> Session:
        opened = self._open()
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return Session(opened)

    def _give(self, session: Session) -> None:
        with self._lock:
            self._idle.append(session)


def load(path: str | os.PathLike[str], weights: Source | None = None) -> Engine:
    """An engine from a plan file and its sidecar: see :meth:`Engine.load`."""
    return Engine.load(path, weights)
