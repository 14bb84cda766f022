"""Processes that work side by side: answers, failures, ends and time limits."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from trtnet.support.errors import BuildError
from trtnet.tools.workers import Answer, Pool


def handler(task: Any) -> Any:
    """What a worker of these tests does; it is imported in its process."""
    what, value = task
    if what == "refuse":
        raise BuildError(value)
    if what == "crash":
        os._exit(value)
    if what == "sleep":
        time.sleep(value)
    return value * 2 if what == "double" else os.getpid() if what == "pid" else {}[value]


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool([handler, handler]) as found:
        yield found


def test_answers_come_with_the_places_of_their_tasks(pool: Pool) -> None:
    answers = dict(pool.answers([("double", i) for i in range(6)]))
    assert answers == {i: Answer(2 * i) for i in range(6)}


def test_a_task_that_fails_says_why_and_the_others_go_on(pool: Pool) -> None:
    answers = dict(pool.answers([("refuse", "no kernel"), ("else", "key"), ("double", 2)]))
    assert answers == {0: Answer(failed="no kernel"), 1: Answer(failed="KeyError: 'key'"), 2: Answer(4)}


def test_a_process_that_ends_is_replaced(pool: Pool) -> None:
    answers = dict(pool.answers([("crash", 3), ("double", 1), ("double", 2), ("double", 3)]))
    assert answers[0] == Answer(failed="its process ended with exit code 3", ended=True)
    assert [answers[i].result for i in (1, 2, 3)] == [2, 4, 6]


def test_a_task_that_takes_longer_than_the_time_is_ended(pool: Pool) -> None:
    began = time.monotonic()
    ((_, answer),) = pool.answers([("sleep", 600)], lambda: 0.5)
    assert answer == Answer(late=True) and time.monotonic() - began < 60
    assert dict(pool.answers([("double", 1)])) == {0: Answer(2)}
    assert dict(pool.answers([("double", 1)], lambda: 0.0)) == {0: Answer(late=True)}


def test_a_worker_keeps_its_process(pool: Pool) -> None:
    with Pool([handler]) as one:
        pids = {answer.result for _, answer in one.answers([("pid", 0)] * 3)}
    assert len(pids) == 1 and os.getpid() not in pids
    with pytest.raises(ProcessLookupError):
        os.kill(pids.pop(), 0)
