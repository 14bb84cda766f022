"""Pipelines, batching and calls side by side on a real GPU; tests/conftest.py skips them without one."""

from __future__ import annotations

import asyncio
import gc
import itertools
import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from helpers.gpu import raw
from helpers.gpu.engines import engine, equal, x
from helpers.threads import in_threads

from trtnet.runtime import Engine
from trtnet.support.errors import InputError, ProfileError

pytestmark = pytest.mark.gpu


def sample(i: int) -> np.ndarray:
    return (np.arange(raw.COLUMNS) - 3 + i % 100).astype(np.float32)


def y(values: np.ndarray) -> np.ndarray:
    return np.maximum(values * 2, 0)


@lru_cache
def static() -> Engine:
    return Engine(raw.plan(*raw.network(raw.relu_of_double, "float32"), "float32", (8, 8, 8)))


def free_memory() -> int:
    gc.collect()
    device = engine().open().device
    device.activate()
    return device.free_memory()


@pytest.mark.parametrize("depth", [1, 3, 5])
def test_a_pipeline_gives_what_a_session_gives_in_order(depth: int) -> None:
    session = engine().session()
    given = [x((4096, 1, 8, 300, 9)[i % 5]) * (i % 50) for i in range(300)]
    for found, values in zip(engine().pipeline(given, depth), given, strict=True):
        np.testing.assert_array_equal(found, session(values))


@pytest.mark.parametrize("lifetime", [math.inf, 3])
def test_graphs_are_captured_and_every_shape_stays_right(lifetime: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trtnet.runtime.execution.context.lifetime", lambda: lifetime)
    given = [x((4096, 9)[i // 30 % 2]) * (i % 90) for i in range(200)]
    for found, values in zip(engine().pipeline(given), given, strict=True):
        equal(found, values)


def test_buffers_that_the_iterable_fills_again() -> None:
    buffer = x(4096)

    def items() -> Iterator[np.ndarray]:
        for i in range(100):
            buffer[...] = x(4096) * i
            yield buffer

    for i, found in enumerate(engine().pipeline(items())):
        equal(found, x(4096) * i)


@pytest.mark.parametrize("kind", ["dynamic", "static"])
def test_samples_in_batches(kind: str) -> None:
    chosen = engine() if kind == "dynamic" else static()
    given = [sample(i) for i in range(1003)]
    for found, values in zip(chosen.pipeline(given, batch=8), given, strict=True):
        np.testing.assert_array_equal(found, y(values))


def test_several_outputs() -> None:
    for i, found in enumerate(engine(body=raw.double_and_square).pipeline((sample(i) for i in range(50)), batch=8)):
        np.testing.assert_array_equal(found["double"], sample(i) * 2)
        np.testing.assert_array_equal(found["square"], sample(i) ** 2)


@pytest.mark.parametrize("at", [0, 2, 11])
@pytest.mark.parametrize(
    ("wrong", "error"),
    [(np.ones((2, 7), np.float32), InputError), (x(2).astype(np.float64), InputError), (x(4097), ProfileError)],
)
def test_an_item_that_does_not_fit_is_an_error_in_its_place(at: int, wrong: Any, error: type[Exception]) -> None:
    good = [x(4096) * i for i in range(20)]
    items = iter([*good[:at], wrong, *good[at:]])
    found: list[Any] = []
    with pytest.raises(error):
        found.extend(engine().pipeline(items))
    found.extend(engine().pipeline(items))
    for one, values in zip(found, good, strict=True):
        equal(one, values)


@pytest.mark.alone
def test_pipelines_that_are_closed_or_forgotten_give_their_memory_back() -> None:
    def run() -> None:
        results = engine().pipeline(x(4096) for _ in itertools.count())
        for _ in range(20):
            next(results)
        results.close()
        next(engine().pipeline(x(4096) for _ in itertools.count()))

    for _ in range(5):
        run()
    before = free_memory()
    for _ in range(20):
        run()
    assert before - free_memory() < 8 << 20


def test_pipelines_in_threads() -> None:
    def work(seed: int) -> None:
        given = [x(1 + (seed * 37 + i * 13) % 4000) * (seed + 1) for i in range(50)]
        for found, values in zip(engine().pipeline(given), given, strict=True):
            equal(found, values)

    in_threads(work, 3)


def test_a_batcher_under_200_tasks() -> None:
    async def task(batcher: Any, i: int) -> None:
        for step in range(20):
            if (i + step) % 40 == 0:
                with pytest.raises(InputError):
                    await batcher(np.zeros(raw.COLUMNS + 1, np.float32))
            elif (i + step) % 40 == 1:
                call = asyncio.ensure_future(batcher(sample(i)))
                await asyncio.sleep(0)
                call.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await call
            else:
                np.testing.assert_array_equal(await batcher(sample(i + step)), y(sample(i + step)))

    async def main() -> None:
        async with engine().batcher(max_batch=32, max_delay=0.002) as batcher:
            await asyncio.gather(*(task(batcher, i) for i in range(200)))

    asyncio.run(main())


def test_a_batcher_of_threads() -> None:
    with static().batcher(max_batch=8, max_delay=0.001) as batcher:

        def work(seed: int) -> None:
            for i in range(100):
                values = sample(seed * 7 + i)
                np.testing.assert_array_equal(batcher.submit(values).result(timeout=60), y(values))

        in_threads(work, 6)


def test_awaited_calls_and_their_cancellation() -> None:
    async def main() -> None:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.001)

        ticking = asyncio.ensure_future(tick())
        calls = [asyncio.ensure_future(engine().acall(x(1 + i * 40))) for i in range(100)]
        await asyncio.sleep(0)
        for call in calls[::7]:
            call.cancel()
        found = await asyncio.gather(*calls, return_exceptions=True)
        for i, one in enumerate(found):
            if isinstance(one, asyncio.CancelledError):
                assert i % 7 == 0
            else:
                equal(one, x(1 + i * 40))
        ticking.cancel()
        assert ticks > 1, "the event loop was held up"

    asyncio.run(main())


def test_more_threads_than_sessions() -> None:
    chosen = Engine(engine().plan)
    chosen.concurrency = 2

    def work(seed: int) -> None:
        for i in range(50):
            values = x(1 + (seed * 11 + i) % 200) * (seed + 1)
            equal(chosen(values), values)

    in_threads(work, 8)


def test_replicas_on_every_gpu() -> None:
    torch = pytest.importorskip("torch")
    count = torch.cuda.device_count()
    replicas = engine().replicas(range(count))
    given = [x(1 + i * 13 % 4000) * (i % 30) for i in range(60)]
    for found, values in zip(replicas.pipeline(given), given, strict=True):
        equal(found, values)
    for values in given[:8]:
        equal(replicas(values), values)
    for index in range(count):
        tensor = torch.from_numpy(x(5)).to(f"cuda:{index}")
        with torch.cuda.device(index):
            found = replicas(tensor)
        assert found.device.index == index
        equal(found, x(5))
