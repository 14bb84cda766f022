"""The sessions that an engine's own calls use."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from trtnet.runtime.calls.fair_semaphore import Turns
from trtnet.runtime.calls.pending import Pending
from trtnet.runtime.loaded.loaded_engine import OpenEngine
from trtnet.runtime.session import Session

IDLE_PER_TURN = 4
"""How many idle sessions are kept for each call that may wait for its results."""


class Pool:
    """Sessions of one opened engine: a call takes one, or a new one, and gives it back when it is done.

    limit: how many of the calls that wait for their results are under way at a time, in turns. Of the sessions that
    submissions need beyond that, three times as many are kept: to make one can take a second. cuda_graph: as a
    session's.
    """

    def __init__(self, opened: OpenEngine, limit: int, cuda_graph: bool | str) -> None:
        self._opened, self._limit, self._cuda_graph = opened, limit, cuda_graph
        self.turns = Turns(limit)
        self._idle: list[Session] = []
        self._lock = threading.Lock()

    def submit(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Pending:
        """Queues a call in a session of its own: see :meth:`Session.submit`."""
        session = self._take()
        try:
            return session.submit_call(args, kwargs, lambda: self._give(session))
        except BaseException:
            self._give(session)
            raise

    def _take(self) -> Session:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return Session(self._opened, cuda_graph=self._cuda_graph)

    def _give(self, session: Session) -> None:
        with self._lock:
            if len(self._idle) < IDLE_PER_TURN * self._limit:
                self._idle.append(session)
