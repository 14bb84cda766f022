"""Calls side by side: in turns, awaited by tasks, on several GPUs; on fake devices."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from helpers.runtime.engines import X, doubling_engine, engine_of, idle, x
from helpers.runtime.fakes import FakeDevice, Opener

import trtnet
from trtnet.runtime import Engine
from trtnet.runtime.calls.fair_semaphore import Turns
from trtnet.support.errors import DeviceError, InputError, TrtnetError


@pytest.fixture
def doubling() -> tuple[Engine, Opener]:
    return doubling_engine()


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """A GPU that does not finish before it is told to."""
    gate, synchronize = threading.Event(), FakeDevice.synchronize

    def waiting(self: FakeDevice, stream: Any) -> None:
        gate.wait()
        synchronize(self, stream)

    monkeypatch.setattr(FakeDevice, "synchronize", waiting)
    yield gate.set
    gate.set()


def started(target: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=target)
    thread.start()
    time.sleep(0.02)
    return thread


def test_turns_are_taken_in_the_order_of_coming() -> None:
    turns, order, gate = Turns(1), [], threading.Event()

    def work(i: int) -> None:
        with turns:
            order.append(i)
            gate.wait()

    threads = []
    for i in range(7):
        threads.append(started(lambda i=i: work(i)))
        while len(order) + len(turns._waiting) <= i:
            time.sleep(0.001)
    assert order == [0]
    gate.set()
    for thread in threads:
        thread.join()
    assert order == list(range(7))


def test_a_turn_that_fails_is_handed_on() -> None:
    turns = Turns(1)
    for _ in range(3):
        with pytest.raises(ValueError, match="no"), turns:
            raise ValueError("no")
    with turns:
        pass


def test_calls_of_many_threads_use_as_many_sessions(doubling: tuple[Engine, Opener], busy: Callable[[], None]) -> None:
    engine, opener = doubling
    engine.concurrency = 3
    results: dict[int, np.ndarray] = {}
    threads = [started(lambda i=i: results.update({i: engine(x() * i)})) for i in range(8)]
    assert len(opener.engine.contexts) == 3
    busy()
    for thread in threads:
        thread.join()
    assert len(opener.engine.contexts) == 3
    for i in range(8):
        np.testing.assert_array_equal(results[i], x() * i * 2 + 1)


def test_sessions_of_many_submissions_are_not_all_kept(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    engine.concurrency = 2
    for i, pending in enumerate([engine.submit(x() * i) for i in range(11)]):
        np.testing.assert_array_equal(pending.result(), x() * i * 2 + 1)
        np.testing.assert_array_equal(engine(x()), x() * 2 + 1)
    del pending
    assert len(opener.device.memory) == 4 * 2 * 4


def test_tasks_await_calls_and_the_loop_goes_on(doubling: tuple[Engine, Opener], busy: Callable[[], None]) -> None:
    engine, _ = doubling
    engine.concurrency = 2

    async def main() -> None:
        calls = [asyncio.ensure_future(engine.acall(x() * i)) for i in range(10)]
        await asyncio.sleep(0.05)
        assert not any(call.done() for call in calls)
        assert calls[0].cancel() and calls[9].cancel()
        busy()
        for i, call in enumerate(calls):
            if i in (0, 9):
                with pytest.raises(asyncio.CancelledError):
                    await call
            else:
                np.testing.assert_array_equal(await call, x() * i * 2 + 1)

    asyncio.run(main())


def test_a_call_that_was_cancelled_in_time_is_not_run(
    doubling: tuple[Engine, Opener], busy: Callable[[], None]
) -> None:
    engine, opener = doubling
    engine.concurrency = 1

    async def main() -> None:
        first = asyncio.ensure_future(engine.acall(x()))
        second = asyncio.ensure_future(engine.acall(x()))
        await asyncio.sleep(0.05)
        second.cancel()
        await asyncio.wait([second])
        busy()
        await first
        np.testing.assert_array_equal(await engine.acall(x=x(3)), x(3) * 2 + 1)

    asyncio.run(main())
    assert opener.engine.contexts[0].executions == 2


def test_errors_of_awaited_calls_are_their_own(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling

    async def main() -> None:
        found = await asyncio.gather(
            *(engine.acall(given) for given in (x(), x(2, np.float64), x(99), x(4))), return_exceptions=True
        )
        np.testing.assert_array_equal(found[0], x() * 2 + 1)
        assert isinstance(found[1], InputError) and isinstance(found[2], TrtnetError)
        np.testing.assert_array_equal(found[3], x(4) * 2 + 1)
        with pytest.raises(InputError, match="acall takes numpy arrays"):
            await engine.acall(torch.ones(2, 3))
        opener.engine.refuses = "execution"
        with pytest.raises(TrtnetError, match="no execution today"):
            await engine.acall(x())

    asyncio.run(main())


def test_a_session_from_before_a_refit_is_not_used_again() -> None:
    engine, opener = doubling_engine()
    pending = engine.submit(x())
    engine._opened = engine._pool = None  # what a refit does
    pending.result()
    engine(x())
    assert len(opener.engines) == 2 and opener.engine.contexts[0].executions == 1


def test_an_engine_on_another_gpu(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    engine.specialize = True
    other = engine.on(1)
    np.testing.assert_array_equal(other(x()), x() * 2 + 1)
    assert (other.device, other.specialize, other.plan) == (1, True, engine.plan)
    assert opener.devices[1].allocations and not opener.device.allocations


def test_loading_on_another_gpu(tmp_path: Any) -> None:
    engine_of(lambda x: x * 2, X)[0].save(tmp_path / "a.engine")
    assert trtnet.load(tmp_path / "a.engine", device=3).device == 3


def test_replicas_take_turns(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    engine.cuda_graph = False
    replicas = engine.replicas([0, 1])
    for i in range(4):
        np.testing.assert_array_equal(replicas(x() * i), x() * i * 2 + 1)
    pending = [replicas.submit(x() * i) for i in range(4)]
    for i, one in enumerate(pending):
        np.testing.assert_array_equal(one.result(), x() * i * 2 + 1)
    np.testing.assert_array_equal(asyncio.run(replicas.acall(x())), x() * 2 + 1)
    assert [sum(c.executions for c in e.contexts) for e in opener.engines] == [5, 4]
    assert [e.device.index for e in opener.engines] == [0, 1]


@pytest.mark.parametrize("batch", [None, 4])
def test_items_are_dealt_to_replicas_and_come_back_in_order(doubling: tuple[Engine, Opener], batch: int | None) -> None:
    engine, opener = doubling
    replicas = engine.replicas([0, 1, 2])
    given = [(x(1 + i % 16) if batch is None else x(1)[0]) * i for i in range(50)]
    taken = itertools.count()
    results = replicas.pipeline((values for values in given if next(taken) >= 0), depth=2, batch=batch)
    for one, values in zip(results, given, strict=True):
        np.testing.assert_array_equal(one, values * 2 + 1)
    uploads = [device.clock / 3 for device in opener.devices.values()]
    assert max(uploads) - min(uploads) <= 1 and sum(uploads) == (50 if batch is None else 13)
    assert all(idle(device) for device in opener.devices.values())


def test_an_item_that_does_not_fit_replicas(doubling: tuple[Engine, Opener]) -> None:
    results, found = doubling[0].replicas([0, 1]).pipeline([*[x()] * 5, x(99), x()]), []
    with pytest.raises(TrtnetError, match="fits no optimization profile"):
        found.extend(results)
    assert len(found) == 5


def test_tensors_run_on_the_gpu_that_they_are_on(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    replicas = engine.replicas([1, 0])
    for _ in range(3):
        found = replicas(opener.torch.tensor(x()))
        opener.device.synchronize(opener.device.streams[0])
        np.testing.assert_array_equal(found.values, x() * 2 + 1)
    with pytest.raises(DeviceError, match="a tensor is on cuda:0; the replicas are on the GPUs 2, 1"):
        engine.replicas([2, 1])(opener.torch.tensor(x()))


@pytest.mark.parametrize("devices", [[], [0, 0]])
def test_replicas_need_different_gpus(doubling: tuple[Engine, Opener], devices: list[int]) -> None:
    with pytest.raises(InputError, match="different GPUs"):
        doubling[0].replicas(devices)


@pytest.mark.parametrize("place", ["input", "output"])
def test_a_tensor_whose_memory_was_freed_is_refused(
    doubling: tuple[Engine, Opener], monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    engine, opener = doubling
    given, out = opener.torch.tensor(x()), opener.torch.tensor(x() * 0)
    with monkeypatch.context() as patch:
        # what torch says after tensor.untyped_storage().resize_(0)
        patch.setattr(given if place == "input" else out, "data_ptr", lambda: 0)
        with pytest.raises(InputError, match=r"a tensor of shape \[2, 3\] no longer has memory: it was freed"):
            engine(given, out=out)
    engine(given, out=out)
    opener.device.synchronize(opener.device.streams[0])
    np.testing.assert_array_equal(out.values, x() * 2 + 1)
