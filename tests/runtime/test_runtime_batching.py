"""Dynamic batching: samples of many callers run together, and none suffers from another; on a fake device."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from typing import Any

import numpy as np
import pytest
from helpers.runtime.engines import doubling_engine, engine_of, idle, x
from helpers.runtime.fakes import Opener
from helpers.threads import in_threads

import trtnet
from trtnet.runtime import Engine
from trtnet.support.errors import ClosedError, InputError, ProfileError, TrtnetError

LONG = 60.0


@pytest.fixture
def doubling() -> tuple[Engine, Opener]:
    return doubling_engine()


def sample(i: float) -> np.ndarray:
    return x(1)[0] * np.float32(i)


def expect(found: Any, i: float) -> None:
    np.testing.assert_array_equal(found, sample(i) * 2 + 1)


def batches(opener: Opener) -> float:
    """How many ran: each is an upload, an execution and a download."""
    return opener.device.clock / 3


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """A GPU that does not finish before it is told to."""
    from helpers.runtime.fakes import FakeDevice

    gate, wait = threading.Event(), FakeDevice.wait

    def waiting(self: FakeDevice, event: Any) -> None:
        gate.wait()
        wait(self, event)

    monkeypatch.setattr(FakeDevice, "wait", waiting)
    yield gate.set
    gate.set()


def test_a_full_batch_runs_at_once(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    with engine.batcher(max_batch=4, max_delay=LONG) as batcher:
        for i, future in enumerate([batcher.submit(sample(i)) for i in range(8)]):
            expect(future.result(timeout=10), i)
        assert batches(opener) == 2
    assert idle(opener.device)


def test_a_batch_that_is_not_full_runs_when_its_time_is_over(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    with engine.batcher(max_batch=16, max_delay=0.05) as batcher:
        start = time.monotonic()
        futures = [batcher.submit(sample(i)) for i in range(3)]
        for i, future in enumerate(futures):
            expect(future.result(timeout=10), i)
        assert time.monotonic() - start >= 0.05
        assert batches(opener) == 1


def test_closing_runs_what_is_waiting_and_refuses_more(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    batcher = engine.batcher(max_batch=16, max_delay=LONG)
    futures = [batcher.submit(sample(i)) for i in range(3)]
    batcher.close()
    for i, future in enumerate(futures):
        assert future.done()
        expect(future.result(), i)
    with pytest.raises(ClosedError, match="the batcher is closed"):
        batcher.submit(sample(0))
    batcher.close()
    assert idle(opener.device)


def test_a_batch_grows_while_others_are_in_flight(doubling: tuple[Engine, Opener], busy: Callable[[], None]) -> None:
    engine, opener = doubling
    with engine.batcher(max_batch=16, max_delay=0.0) as batcher:
        first = [batcher.submit(sample(0)), batcher.submit(sample(1))]
        time.sleep(0.05)
        later = [batcher.submit(sample(2 + i)) for i in range(10)]
        time.sleep(0.05)
        later.append(batcher.submit(sample(12)))
        busy()
        for i, future in enumerate([*first, *later]):
            expect(future.result(timeout=10), i)
        assert batches(opener) <= 4


def test_a_sample_that_does_not_fit_fails_alone(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    with engine.batcher(max_batch=4, max_delay=LONG) as batcher:
        futures = [batcher.submit(sample(i)) for i in range(2)]
        for wrong, error, text in (
            (x(1), InputError, r"input x \[3\] float32 has 1 dimension"),
            (np.ones(3), InputError, "convert it first"),
            ([1.0, 2.0, 3.0], InputError, "takes an array; found list"),
        ):
            with pytest.raises(error, match=text):
                batcher.submit(wrong)
        futures += [batcher.submit(x=sample(i)) for i in (2, 3)]
        for i, future in enumerate(futures):
            expect(future.result(timeout=10), i)
        assert batches(opener) == 1


def test_a_failed_execution_fails_the_calls_of_its_batch(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    with engine.batcher(max_batch=2, max_delay=LONG) as batcher:
        expect([batcher.submit(sample(i)) for i in range(2)][1].result(timeout=10), 1)
        opener.engine.refuses = "execution"
        for future in [batcher.submit(sample(i)) for i in range(2)]:
            with pytest.raises(TrtnetError, match="TensorRT did not run the engine\n  TensorRT: no execution today"):
                future.result(timeout=10)
        opener.engine.refuses = ""
        for i, future in enumerate([batcher.submit(sample(i)) for i in range(2)]):
            expect(future.result(timeout=10), i)


def test_a_gpu_that_fails_while_it_computes_fails_the_batch(
    doubling: tuple[Engine, Opener], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, opener = doubling
    opener.device.activate()
    with engine.batcher(max_batch=2, max_delay=LONG) as batcher:
        with monkeypatch.context() as patch:

            def wait(event: Any) -> None:
                raise RuntimeError("an illegal memory access was encountered")

            patch.setattr(opener.device, "wait", wait)
            for future in [batcher.submit(sample(i)) for i in range(2)]:
                with pytest.raises(RuntimeError, match="illegal memory access"):
                    future.result(timeout=10)
        for i, future in enumerate([batcher.submit(sample(i)) for i in range(2)]):
            expect(future.result(timeout=10), i)


def test_a_call_that_is_cancelled_leaves_its_batch(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    with engine.batcher(max_batch=16, max_delay=LONG) as batcher:
        futures = [batcher.submit(sample(i)) for i in range(4)]
        assert futures[1].cancel()
    for i in (0, 2, 3):
        expect(futures[i].result(), i)
    with pytest.raises(CancelledError):
        futures[1].result()
    assert {context.shapes["x"] for context in opener.engine.contexts} == {(3, 3)}


def test_a_batch_that_everybody_left_is_not_run(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    with engine.batcher(max_batch=4, max_delay=LONG) as batcher:
        for _ in range(3):  # more often than there are slots
            for future in [batcher.submit(sample(i)) for i in range(3)]:
                assert future.cancel()
            batcher.submit(sample(3)).cancel()
        expect([batcher.submit(sample(i)) for i in range(4)][3].result(timeout=10), 3)
        assert batches(opener) <= 4


def test_samples_of_other_shapes_wait_in_batches_of_their_own() -> None:
    engine, opener = engine_of(lambda x: x * 2 + 1, {"x": trtnet.Input(("n", "m"))}, [{"n": (1, 2, 8), "m": (1, 2, 4)}])
    with engine.batcher(max_batch=3, max_delay=LONG) as batcher:
        given = [np.full(1 + i % 2, i, np.float32) for i in range(6)]
        for values, future in [(values, batcher.submit(values)) for values in given]:
            np.testing.assert_array_equal(future.result(timeout=10), values * 2 + 1)
        assert batches(opener) == 2
        with pytest.raises(ProfileError, match=r"a batch of samples x \[5\] fits no optimization profile"):
            batcher.submit(np.zeros(5, np.float32))


def test_a_batcher_that_is_forgotten_ends_its_threads(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    before = threading.active_count()
    future = engine.batcher(max_batch=4, max_delay=LONG).submit(sample(1))
    gc.collect()
    expect(future.result(timeout=10), 1)
    assert threading.active_count() <= before
    assert idle(opener.device)


def test_what_cannot_be_is_refused(doubling: tuple[Engine, Opener]) -> None:
    engine, _ = doubling
    with pytest.raises(ProfileError, match="a batch of 17 fits no optimization profile"):
        engine.batcher(max_batch=17)
    with pytest.raises(InputError, match="max_delay is a time in seconds; found -1"):
        engine.batcher(max_batch=4, max_delay=-1)


def test_threads(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling

    def work(seed: int) -> None:
        for i in range(20):
            expect(batcher.submit(sample(seed * 100 + i)).result(timeout=10), seed * 100 + i)

    with engine.batcher(max_batch=8, max_delay=0.001) as batcher:
        in_threads(work)
    assert batches(opener) < 80


def test_tasks(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling

    async def task(batcher: Any, i: int) -> None:
        if i % 20 == 7:
            with pytest.raises(InputError):
                await batcher(np.zeros(4, np.float32))
        elif i % 20 == 13:
            call = asyncio.ensure_future(batcher(sample(i)))
            await asyncio.sleep(0)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
        else:
            expect(await batcher(sample(i)), i)

    async def main() -> None:
        async with engine.batcher(max_batch=16, max_delay=0.002) as batcher:
            await asyncio.gather(*(task(batcher, i) for i in range(200)))

    asyncio.run(main())
    assert 180 / 16 <= batches(opener) <= 40
    assert idle(opener.device)
