"""A built engine: to save anywhere, and to call where there is a GPU."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

from trtnet import backend
from trtnet.backend import trt
from trtnet.builder.plan import Plan, PlanInfo
from trtnet.calling import TensorInfo
from trtnet.diagnostics import ErrorRecorder, logger
from trtnet.errors import PlanError
from trtnet.runtime.device import CudaDevice
from trtnet.runtime.session import OpenEngine, Pending, Session

Opener = Callable[[Plan], OpenEngine]


def open_engine(plan: Plan) -> OpenEngine:
    """Deserializes a plan on the first GPU.

    Raises PlanError for a plan of another backend, DeviceError where there is no usable GPU, PlanError with TensorRT's
    words if it refuses the plan.
    """
    info = plan.info
    if info.backend != backend.name():
        raise PlanError(
            f"the engine was built with {info.backend} {info.backend_version}, this process uses {backend.name()}"
            f" {backend.version()}: set TRTNET_BACKEND={info.backend}, or build it again"
        )
    device = CudaDevice()
    recorder = ErrorRecorder()
    runtime = trt.Runtime(logger)
    runtime.error_recorder = recorder
    engine = runtime.deserialize_cuda_engine(plan.data)
    if engine is None:
        words = "".join(f"\n  TensorRT: {text}" for text in recorder.take())
        raise PlanError(
            f"{backend.name()} {backend.version()} refuses this plan, which {info.backend_version} built{words}\n"
            f"  a plan runs with the version that built it, on the GPUs it was built for; see `trtnet doctor`"
        )
    return OpenEngine(engine, device, recorder, info)


class Engine:
    """A built engine. Making one touches no GPU; the first call loads it there.

    ``engine(image)`` runs it: inputs by position or by name, numpy arrays or torch CUDA tensors, outputs of the same
    kind (one array, or a dict by name). Several threads may call it; each call uses a session of its own.
    """

    def __init__(self, plan: Plan, opener: Opener = open_engine) -> None:
        self.plan = plan
        self._opener = opener
        self._opened: OpenEngine | None = None
        self._idle: list[Session] = []
        self._lock = threading.Lock()

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

    def session(self, profile: int | None = None) -> Session:
        """An execution context of its own, for calls that keep their buffers and stream. Raises as the first call."""
        return Session(self._open(), profile)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the engine and waits: see :meth:`Session.submit`. Raises DeviceError where there is no GPU."""
        session = self._take()
        try:
            return session(*args, **kwargs)
        finally:
            self._give(session)

    def submit(self, *args: Any, **kwargs: Any) -> Pending:
        """Queues a call and returns at once; ``.result()`` waits. Calls under way use a session each."""
        session = self._take()
        try:
            pending = session.submit(*args, **kwargs)
        except BaseException:
            self._give(session)
            raise
        return Pending(pending.result, lambda: self._give(session))

    def _open(self) -> OpenEngine:
        with self._lock:
            if self._opened is None:
                self._opened = self._opener(self.plan)
            return self._opened

    def _take(self) -> Session:
        opened = self._open()
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return Session(opened)

    def _give(self, session: Session) -> None:
        with self._lock:
            self._idle.append(session)


def load(path: str | os.PathLike[str]) -> Engine:
    """An engine from a plan file and its sidecar. Raises PlanError if one is missing, corrupt, or not the other's."""
    return Engine(Plan.load(path))
