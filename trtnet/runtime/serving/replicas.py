"""One engine on several GPUs, which take turns."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

from trtnet.runtime.calls.pending import Pending
from trtnet.runtime.loaded.loaded_engine import OpenEngine
from trtnet.runtime.serving.pipeline import pipeline
from trtnet.support.call_interface import is_torch
from trtnet.support.errors import DeviceError, InputError


class Replica(Protocol):
    """An engine on a GPU, as far as replicas use it."""

    device: int

    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...

    def submit(self, *args: Any, **kwargs: Any) -> Pending: ...

    async def acall(self, *args: Any, **kwargs: Any) -> Any: ...

    def open(self) -> OpenEngine: ...


class Replicas:
    """The same engine on several GPUs, called like a single engine.

    Calls with numpy arrays go to the GPUs in turn; calls with torch tensors go to the GPU of the tensors. Each engine
    is loaded on its GPU by its first call. Raises InputError without an engine, or for two on one GPU.
    """

    def __init__(self, engines: Sequence[Replica]) -> None:
        devices = [engine.device for engine in engines]
        if not devices or len(set(devices)) < len(devices):
            raise InputError(f"replicas run on different GPUs, given by their numbers; found {devices}")
        self.engines = tuple(engines)
        self._turns = itertools.cycle(self.engines)
        self._lock = threading.Lock()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs one of the engines and waits: see :meth:`trtnet.runtime.Engine.__call__`."""
        return self._next(args, kwargs)(*args, **kwargs)

    def submit(self, *args: Any, **kwargs: Any) -> Pending:
        """Queues a call on one of the engines and returns at once: see :meth:`trtnet.runtime.Engine.submit`."""
        return self._next(args, kwargs).submit(*args, **kwargs)

    async def acall(self, *args: Any, **kwargs: Any) -> Any:
        """A call that a task waits for: see :meth:`trtnet.runtime.Engine.acall`."""
        return await self._next(args, kwargs).acall(*args, **kwargs)

    def pipeline(self, items: Iterable[Any], depth: int = 3, batch: int | None = None) -> Iterator[Any]:
        """Runs a stream of inputs on all GPUs, dealt in turn, the results in their order.

        See :meth:`trtnet.runtime.Engine.pipeline`. depth: inferences in flight on each GPU. The inputs of
        all of them are copied to page-locked memory before the next item is asked for.
        """
        return pipeline([engine.open() for engine in self.engines], items, depth, batch)

    def _next(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Replica:
        tensor = next((value for value in (*args, *kwargs.values()) if is_torch(value) and value.is_cuda), None)
        if tensor is None:
            with self._lock:
                return next(self._turns)
        for engine in self.engines:
            if engine.device == tensor.device.index:
                return engine
        found = ", ".join(str(engine.device) for engine in self.engines)
        raise DeviceError(f"a tensor is on {tensor.device}; the replicas are on the GPUs {found}")
