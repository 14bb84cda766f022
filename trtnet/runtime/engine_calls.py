"""The calls of an engine, each in a session of a pool: to wait for, queued, or awaited by a task."""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from trtnet.runtime.calls.arguments import is_foreign
from trtnet.runtime.calls.pending import Pending
from trtnet.runtime.loaded.loaded_engine import OpenEngine
from trtnet.runtime.options import EngineOptions
from trtnet.runtime.session_pool import Pool
from trtnet.support.call_interface import is_torch
from trtnet.support.errors import InputError


class EngineCalls(ABC):
    """What can be called: an engine that is loaded at its first call."""

    __slots__ = ("_callers", "_lock", "_pool")

    def __init__(self) -> None:
        self._pool: Pool | None = None
        self._callers: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    @abstractmethod
    def open(self) -> OpenEngine:
        """The engine on its GPU, where it is loaded once."""

    @property
    @abstractmethod
    def options(self) -> EngineOptions:
        """How it is run."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the engine and waits: see :meth:`Session.submit`. Raises DeviceError where there is no GPU."""
        pool = self._sessions()
        with pool.turns:
            return pool.submit(args, kwargs).result()

    def submit(self, *args: Any, **kwargs: Any) -> Pending:
        """Queues a call and returns at once; ``.result()`` waits: see :meth:`Session.submit`.

        Each call in flight uses its own session, with its own device memory, until its result is requested. Their
        number is not limited.
        """
        return self._sessions().submit(args, kwargs)

    async def acall(self, *args: Any, **kwargs: Any) -> Any:
        """A call with numpy arrays that a task can await, without blocking its event loop.

        The arrays must not be changed meanwhile. A call that is cancelled before its turn is not run. Raises InputError
        for tensors on the GPU: calls with them do not block.
        """
        if any(is_torch(value) or is_foreign(value) for value in (*args, *kwargs.values())):
            raise InputError("acall takes numpy arrays; a call with tensors on the GPU does not block: use engine(...)")
        call = partial(self, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._threads(), call)

    def _sessions(self) -> Pool:
        opened = self.open()
        with self._lock:
            if self._pool is None:
                self._pool = Pool(opened, self.options.concurrency, self.options.cuda_graph)
            return self._pool

    def _threads(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._callers is None:
                self._callers = ThreadPoolExecutor(self.options.concurrency, "trtnet-call")
            return self._callers
