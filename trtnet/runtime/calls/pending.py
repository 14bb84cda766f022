"""The result of a call that was queued."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from trtnet.support.call_interface import returned

Outputs = dict[str, Any]


def _nothing() -> None:
    pass


def _as_they_are(outputs: Outputs) -> Outputs:
    return outputs


class Pending:
    """The result of an asynchronous call.

    collect: waits and takes the outputs out of the session's buffers, called once. deliver: makes them fit for the
    thread and stream that ask, called each time. finished: called once, when the session is free for its next call.
    """

    def __init__(
        self,
        collect: Callable[[], Outputs],
        deliver: Callable[[Outputs], Outputs] = _as_they_are,
        finished: Callable[[], None] = _nothing,
    ) -> None:
        self._collect: Callable[[], Outputs] | None = collect
        self._deliver, self._finished = deliver, finished
        self._lock = threading.Lock()
        self._outputs: Outputs = {}
        self._error: Exception | None = None

    def result(self) -> Any:
        """Waits for the call and returns its outputs: one array, or several as ``NamedOutputs``. May be called again.

        torch outputs are returned without waiting: torch's current stream waits for them.
        """
        self.settle()
        if self._error is not None:
            raise self._error
        return returned(self._deliver(self._outputs))

    def then(self, deliver: Callable[[Outputs], Outputs]) -> Pending:
        """The same result, made into something else each time it is asked for."""
        before = self._deliver
        self._deliver = lambda outputs: deliver(before(outputs))
        return self

    def settle(self) -> None:
        """Waits for the call and takes its outputs out of the session's buffers, once."""
        with self._lock:
            if self._collect is None:
                return
            try:
                self._outputs = self._collect()
            except Exception as error:
                self._error = error
            finished, self._collect, self._finished = self._finished, None, _nothing
            finished()
