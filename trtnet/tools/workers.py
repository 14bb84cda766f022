"""Processes that work on tasks side by side; one that ends or hangs is replaced, and its task has failed."""

from __future__ import annotations

import math
import multiprocessing
import queue
import signal
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from trtnet.support.errors import TrtnetError

Handler = Callable[[Any], Any]
"""Does a task in another process. It and the tasks are sent there, the result is sent back."""
LONGEST_WAIT = 1 << 20
"""Seconds; a pipe waits for no infinity."""


@dataclass(frozen=True)
class Answer:
    """result: of the task; failed: why there is none. late: there is none, for the time was over.

    ended: there is none, for the process ended in the middle of it.
    """

    result: Any = None
    failed: str = ""
    late: bool = False
    ended: bool = False


class Worker:
    """A process that does one task after another. It begins with the first one, from nothing: no state is inherited."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._running: tuple[BaseProcess, Connection] | None = None

    def ask(self, task: Any, seconds: float) -> Answer:
        """What the handler makes of a task; without an answer in this time the process is ended."""
        if seconds <= 0:
            return Answer(late=True)
        process, pipe = self._started()
        try:
            pipe.send(task)
            if not pipe.poll(min(seconds, LONGEST_WAIT)):
                self.close()
                return Answer(late=True)
            answer: Answer = pipe.recv()
            return answer
        except (EOFError, OSError):
            process.join()
            self.close()
            return Answer(failed=f"its process ended with exit code {process.exitcode}", ended=True)

    def close(self) -> None:
        """Ends the process."""
        started, self._running = self._running, None
        if started is not None:
            process, pipe = started
            process.kill()
            process.join()
            pipe.close()

    def _started(self) -> tuple[BaseProcess, Connection]:
        if self._running is None:
            context = multiprocessing.get_context("spawn")  # a fork would share a CUDA that was used
            ours, theirs = context.Pipe()
            process = context.Process(target=serve, args=(theirs, self._handler), daemon=True)
            process.start()
            theirs.close()
            self._running = process, ours
        return self._running


def serve(pipe: Connection, handler: Handler) -> None:
    """Answers tasks until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that asks decides what an interrupt ends
    with suppress(EOFError, ConnectionError):
        while True:
            pipe.send(_answer(handler, pipe.recv()))


def _answer(handler: Handler, task: Any) -> Answer:
    try:
        return Answer(handler(task))
    except TrtnetError as error:
        return Answer(failed=str(error))
    except Exception as error:  # what a model's code or a driver raises is this task's fault alone
        return Answer(failed=f"{type(error).__name__}: {error}")


class Pool:
    """Several workers of one kind."""

    def __init__(self, handlers: Sequence[Handler]) -> None:
        self._workers = [Worker(handler) for handler in handlers]
        self._free: queue.Queue[Worker] = queue.Queue()
        for worker in self._workers:
            self._free.put(worker)
        self._threads = ThreadPoolExecutor(len(self._workers))

    def answers(
        self, tasks: Sequence[Any], left: Callable[[], float] = lambda: math.inf
    ) -> Generator[tuple[int, Answer]]:
        """(index, answer) of each task, as they come. left: the seconds that there are."""
        futures = {self._threads.submit(self._ask, task, left): index for index, task in enumerate(tasks)}
        for future in as_completed(futures):
            yield futures[future], future.result()

    def _ask(self, task: Any, left: Callable[[], float]) -> Answer:
        worker = self._free.get()
        try:
            return worker.ask(task, left())
        finally:
            self._free.put(worker)

    def close(self) -> None:
        """Ends all processes."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in self._workers:
            worker.close()

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
