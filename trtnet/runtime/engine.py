"""A built engine: to save anywhere, and to call where there is a GPU."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from trtnet.builder.plan import Plan, PlanInfo
from trtnet.checkpoint import IGNORED, Source, open_checkpoint
from trtnet.runtime.cuda.interface import Device
from trtnet.runtime.engine_calls import EngineCalls
from trtnet.runtime.execution.context_options import check_kernels
from trtnet.runtime.execution.scratch_memory import ActivationMemory
from trtnet.runtime.loaded.communicator import communicator_of
from trtnet.runtime.loaded.inspection import Inspection, inspect
from trtnet.runtime.loaded.kernel_cache import RuntimeCache, cache_path
from trtnet.runtime.loaded.load_plan import Opener, open_engine
from trtnet.runtime.loaded.loaded_engine import Closable, OpenEngine
from trtnet.runtime.loaded.refit import Redefined, check_refittable, digest, refitted
from trtnet.runtime.loaded.weight_streaming import limit_weights
from trtnet.runtime.options import EngineOptions
from trtnet.runtime.serving.batcher import Batcher
from trtnet.runtime.serving.pipeline import pipeline
from trtnet.runtime.serving.replicas import Replicas
from trtnet.runtime.session import Session
from trtnet.support import backend
from trtnet.support.call_interface import StateInfo, TensorInfo
from trtnet.support.errors import ClosedError, InputError, PlanError


def _option(name: str) -> Any:
    """One of the options as an attribute of the engine."""

    def choose(engine: Engine, value: Any) -> None:
        engine.options = replace(engine.options, **{name: value})

    return property(lambda engine: getattr(engine.options, name), choose)


class Engine(EngineCalls):
    """A built engine; its first call loads it to the GPU. Until then no GPU is needed.

    ``engine(image)`` runs it: inputs by position or by name, numpy arrays or torch CUDA tensors, outputs of the same
    kind (one array, or several as :class:`trtnet.support.call_interface.NamedOutputs`, by position and name). Several
    threads may call it; each call uses its own session, which returns to a pool when the call is done. A call
    makes the engine's GPU the current one of the calling thread.

    The kernels that TensorRT-RTX compiles for this GPU are cached in a file next to the engine, so that the next
    process starts fast: see :mod:`trtnet.runtime.loaded.kernel_cache`.

    device: the number of the GPU, as in torch. options: how it is run; each option is also an attribute, which may
    be set until the first call (InputError afterwards): ``engine.cuda_graph = False``.
    As a context manager, it is closed at the end: see :meth:`close`.
    Raises DeviceError without a usable GPU, InputError for inputs that do not fit, and ClosedError once it is closed.
    """

    # a misspelt option is an AttributeError
    __slots__ = (
        "__weakref__", "_closed", "_opened", "_opener", "_options", "_path", "device", "plan",
    )  # fmt: skip

    specialize = _option("specialize")
    concurrency = _option("concurrency")
    cuda_graph = _option("cuda_graph")
    weight_streaming_budget = _option("weight_streaming_budget")

    def __init__(
        self,
        plan: Plan,
        opener: Opener = open_engine,
        path: str | os.PathLike[str] | None = None,
        device: int = 0,
        options: EngineOptions | None = None,
    ) -> None:
        super().__init__()
        self.plan = plan
        self.device = device
        self._options = options or EngineOptions()
        self._path = None if path is None else Path(path)
        self._opener = opener
        self._opened: OpenEngine | None = None
        self._closed = False

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Frees the GPU memory of the engine and its sessions; results of calls in flight stay valid.

        Active pipelines and batchers keep what they need until they are closed. Later calls raise ClosedError;
        the plan can still be saved.
        """
        with self._lock:
            opened, callers = self._opened, self._callers
            self._closed = True
            self._opened = self._pool = self._callers = None
        if callers is not None:
            callers.shutdown(wait=False)
        if opened is None:
            return
        for user in list(opened.users):
            user.close()
        if opened.cache is not None:
            opened.cache.save()

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        weights: Source | None = None,
        device: int = 0,
        options: EngineOptions | None = None,
    ) -> Engine:
        """Reads a plan and its sidecar.

        weights: for a stripped plan, which then needs a GPU: see :meth:`refit`. device: the number of the GPU to
        run on, as in torch. options: how it is run. Raises PlanError if a file is missing or corrupt, or if the two
        do not belong together, and what refit raises.
        """
        engine = cls(Plan.load(path), path=Path(path), device=device, options=options)
        if weights is not None:
            engine.refit(weights)
        return engine

    @property
    def info(self) -> PlanInfo:
        """What the sidecar says of it."""
        return self.plan.info

    @property
    def options(self) -> EngineOptions:
        """How it is run. Setting it raises InputError after the first call, which has fixed it."""
        return self._options

    @options.setter
    def options(self, options: EngineOptions) -> None:
        with self._lock:
            if self._opened is not None and options != self._options:
                text = "options are chosen before an engine's first call, or by trtnet.load(path, options=...)"
                raise InputError(f"{text}; this one runs with {self._options}")
            self._options = options

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        return self.info.inputs

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        return self.info.outputs

    @property
    def states(self) -> tuple[StateInfo, ...]:
        """What is carried from call to call: see :class:`trtnet.Streams`."""
        return self.info.states

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the plan to `path` and its sidecar to `path`.json. Raises PlanError if it cannot."""
        self.plan.save(path)
        self._path = Path(path)

    def refit(self, weights: Source | Redefined, *, ignored: Sequence[str] = IGNORED) -> None:
        """Replaces all weights of an engine that was built with refit, or none of them if it fails.

        weights: a checkpoint with the keys that the engine was built from, in any dtype that can be cast to theirs. Or
        the network, defined again with new weights: that also replaces weights that were folded into others, such as
        those of batch norms. ignored: regular expressions of checkpoint keys to ignore, as in define.
        Afterwards the engine has a new plan; sessions opened before keep the old weights.
        Raises PlanError for an engine that cannot be refitted and for another network, WeightsError for keys or sizes
        that do not fit, DeviceError where there is no GPU, TrtnetError in TensorRT's words if it fails.
        """
        redefined = weights if isinstance(weights, Redefined) else None
        check_refittable(self.info, by_keys=redefined is None)
        with self._lock:
            opened = self._opener(self.plan, self.device)
            given = open_checkpoint(weights) if redefined is None else redefined
            data = refitted(opened, self.info, given, ignored)
            info = replace(self.info, checkpoint_digest=digest(self.info, given), stripped=False)
            self.plan, self._opened, self._pool = Plan(data, info), None, None

    def session(
        self,
        profile: int | None = None,
        *,
        stream: Any = None,
        cuda_graph: bool | str = True,
        nvtx: str | None = None,
        memory: ActivationMemory | None = None,
        streams: int | None = None,
    ) -> Session:
        """A session with its own execution context, which keeps its buffers and stream: see :class:`Session`.

        Raises as the first call.
        """
        options: dict[str, Any] = {"cuda_graph": cuda_graph, "nvtx": nvtx, "memory": memory, "streams": streams}
        return Session(self.open(), profile, stream=stream, **options)

    def activation_memory(self) -> ActivationMemory:
        """Scratch memory on the engine's GPU for several sessions, of this engine or others, to share with memory=.

        They then run one after another. Raises as the first call.
        """
        return ActivationMemory(self.open().device)

    def inspect(self) -> Inspection:
        """What TensorRT reports about the engine's layers and memory; ``trtnet inspect`` reads it.

        Raises as the first call, and TrtnetError if TensorRT reports nothing.
        """
        return inspect(self.open())

    def on(self, device: int) -> Engine:
        """The same engine on another GPU, by its number; it must be of a kind that the plan was built for."""
        return Engine(self.plan, self._opener, self._path, device, self.options)

    def pipeline(
        self, items: Iterable[Any], depth: int = 3, batch: int | None = None, *, nvtx: str | None = None
    ) -> Iterator[Any]:
        """Runs a stream of inputs, with `depth` inferences in flight: copies to and from the GPU overlap computing.

        items: numpy arrays; for several inputs, tuples by position or dicts by name. An item may be changed once the
        next one was requested, which happens when a result is taken, at first up to `depth` items ahead.
        batch: items are single samples without the batch axis, run in batches of this size; the last batch has the
        rest, and a sample of another shape starts a new batch. Padding rows that a profile needs are zero.
        nvtx: as in a session, with a range for each stage of an inference.
        Returns the results in the order of the items: one array each, or several as ``NamedOutputs``. An error of an
        item, the iterable or TensorRT is raised in place of the item's result, after the results before it, and ends
        the iterator; nothing is taken from the iterable after an item that does not fit. Closing it waits for
        inferences in flight.
        """
        return pipeline((self.open(),), items, depth, batch, nvtx)

    def batcher(self, max_batch: int = 32, max_delay: float = 0.002) -> Batcher:
        """Runs samples of many tasks or threads in batches, of `max_batch` or of what arrives within `max_delay`.

        See :class:`Batcher <trtnet.runtime.serving.batcher.Batcher>`. max_delay: seconds. Raises InputError for an
        engine without a batch axis, ProfileError if no profile takes so many, and as the first call.
        """
        return Batcher(self.open(), max_batch, max_delay)

    def replicas(self, devices: Sequence[int]) -> Replicas:
        """The same engine on several GPUs, which are used in turn: see :class:`Replicas`."""
        return Replicas([self.on(device) for device in devices])

    def open(self) -> OpenEngine:
        """The engine on its GPU, where it is loaded once: what sessions and slots are made of.

        Raises as the first call.
        """
        if self.info.stripped:
            raise PlanError("the plan was stripped of its weights: trtnet.load(path, weights=...) puts them in")
        communicator = communicator_of(self.info, self._options)
        with self._lock:
            if self._closed:
                raise ClosedError("the engine was closed; load it again: trtnet.load(path)")
            if self._opened is None:
                opened = self._opener(self.plan, self.device)
                if self.weight_streaming_budget is not None:
                    limit_weights(opened.engine, self.weight_streaming_budget)
                check_kernels(self.info, self.specialize)
                options = {"specialize": self.specialize, "cache": self._cache(opened.device)}
                self._opened = replace(opened, **options, communicator=communicator)
                weakref.finalize(self._opened, _end, self._opened.contexts, self._opened.cache)
            return self._opened

    def _cache(self, device: Device) -> RuntimeCache | None:
        if not backend.supports("runtime_cache"):
            return None
        return RuntimeCache(None if self._path is None else cache_path(self._path, device.name))


def _end(contexts: Iterable[Closable], cache: RuntimeCache | None) -> None:
    """At the end of the process, while TensorRT is whole: Python would take it apart in any order."""
    for context in list(contexts):
        context.close()
    if cache is not None:
        cache.close()


def load(
    path: str | os.PathLike[str],
    weights: Source | None = None,
    device: int = 0,
    options: EngineOptions | None = None,
) -> Engine:
    """Loads an engine from a plan file and its sidecar: see :meth:`Engine.load`.

    Returns the engine, with the names, shapes and dtypes of the plan; its first call loads it to the GPU.
    Raises PlanError for a missing or corrupt file or another backend's plan; InputError for options that do not fit.
    """
    return Engine.load(path, weights, device, options)
