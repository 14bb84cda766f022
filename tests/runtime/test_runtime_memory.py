"""Scratch memory that sessions share, and budgets of streamed weights; on a fake device."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.runtime.engines import engine_of, x
from helpers.runtime.fakes import FakeDevice, FakeStream, Opener
from helpers.threads import in_threads

from trtnet.runtime import Engine
from trtnet.runtime.execution.scratch_memory import ActivationMemory
from trtnet.runtime.loaded.weight_streaming import byte_count
from trtnet.support.errors import DeviceError, InputError, PlanError


@pytest.fixture
def doubling() -> tuple[Engine, Opener]:
    engine, opener = engine_of(lambda x: x * 2 + 1)
    opener.device.activate()
    return engine, opener


def test_sessions_share_what_the_largest_call_needs(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    memory = engine.activation_memory()
    sessions = [engine.session(memory=memory) for _ in range(3)]
    assert memory.nbytes == 0
    for step, n in enumerate((2, 1, 8, 3, 8, 1)):
        np.testing.assert_array_equal(sessions[step % 3](x(n)), x(n) * 2 + 1)
    assert memory.nbytes == 1000 * 8 * 3
    assert {context.memory for context in opener.engine.contexts} == {(memory.address, memory.nbytes)}


def test_sessions_of_several_engines_share_it(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    other, opener_2 = engine_of(lambda x: -x)
    opener_2.device = opener.device
    opener_2.devices[0] = opener.device
    memory = engine.activation_memory()
    one, two = engine.session(memory=memory), other.session(memory=memory)
    for n in (2, 8, 1):
        np.testing.assert_array_equal(one(x(n)), x(n) * 2 + 1)
        np.testing.assert_array_equal(two(x(n)), -x(n))


def test_on_the_gpu_they_run_one_after_another(doubling: tuple[Engine, Opener]) -> None:
    """The fake fails if an execution runs before one that was queued earlier with the same memory."""
    engine, opener = doubling
    memory = engine.activation_memory()
    sessions = [engine.session(memory=memory, cuda_graph=False) for _ in range(3)]
    results = []
    for step in range(9):
        stream = 100 + step % 2
        opener.device.streams.setdefault(stream, FakeStream(stream))
        opener.torch.current = stream
        given = opener.torch.tensor(x(1 + step % 8) * step)
        results.append((stream, step, given, sessions[step % 3](given)))
    for stream, step, given, found in reversed(results):
        opener.device.synchronize(opener.device.streams[stream])
        np.testing.assert_array_equal(found.values, given.values * 2 + 1, str(step))


def test_memory_that_grows_goes_after_its_last_use(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    memory = engine.activation_memory()
    sessions = [engine.session(memory=memory, cuda_graph=False) for _ in range(3)]
    waiting = [session.submit(x(n)) for n, session in zip((1, 4, 8), sessions, strict=True)]
    opener.device.synchronize(memory._stream)  # as soon as its stream may
    for n, pending in zip((1, 4, 8), waiting, strict=True):
        np.testing.assert_array_equal(pending.result(), x(n) * 2 + 1)


def test_calls_under_way_in_several_sessions(doubling: tuple[Engine, Opener]) -> None:
    engine, _ = doubling
    memory = engine.activation_memory()
    sessions = [engine.session(memory=memory) for _ in range(3)]
    waiting = [session.submit(x(n) * n) for n, session in zip((1, 8, 4), sessions, strict=True)]
    for n, pending in reversed(list(zip((1, 8, 4), waiting, strict=True))):
        np.testing.assert_array_equal(pending.result(), x(n) * n * 2 + 1)


def test_from_several_threads(doubling: tuple[Engine, Opener]) -> None:
    engine, _ = doubling
    memory = engine.activation_memory()

    def work(seed: int) -> None:
        with engine.session(memory=memory) as session:
            for step in range(20):
                given = x(1 + (seed + step) % 8) * (seed + 1)
                np.testing.assert_array_equal(session(given), given * 2 + 1)

    in_threads(work)


def test_graphs_are_captured_with_the_memory_they_use(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    memory = engine.activation_memory()
    one, two = engine.session(memory=memory), engine.session(memory=memory)
    for _ in range(4):
        np.testing.assert_array_equal(one(x()), x() * 2 + 1)
    before = len(opener.device.graphs[0].launches)
    assert before > 0
    two(x(8))  # the memory is another one now
    for _ in range(4):
        np.testing.assert_array_equal(one(x()), x() * 2 + 1)
    assert len(opener.device.graphs) == 2 and len(opener.device.graphs[0].launches) == before
    given, out = opener.torch.tensor(x()), opener.torch.tensor(x() * 0)
    for _ in range(5):
        one(given, out=out)
    assert one._repeats is not None and not one._repeats._kept, "launched by itself, it would miss its turn"


def test_its_memory_goes_with_it(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    memory = engine.activation_memory()
    with engine.session(memory=memory) as session:
        session(x())
    assert len(opener.device.memory) == 1
    del memory, session
    assert not opener.device.memory


def test_memory_of_another_gpu(doubling: tuple[Engine, Opener]) -> None:
    engine, _ = doubling
    with pytest.raises(InputError, match="memory= is on GPU 3, the engine on GPU 0"):
        engine.session(memory=ActivationMemory(FakeDevice(3)))


@pytest.mark.parametrize(
    ("size", "nbytes"),
    [(0, 0), (12, 12), ("12", 12), ("1.5GiB", 3 << 29), ("2 MB", 2_000_000), ("1kib", 1024), ("0.5KB", 500)],
)
def test_sizes(size: int | str, nbytes: int) -> None:
    assert byte_count(size) == nbytes


@pytest.mark.parametrize("size", [-1, "", "GiB", "1 parsec", "-1", 1.5, True, None, "1e3"])
def test_what_is_not_a_size(size: Any) -> None:
    with pytest.raises(InputError, match="a size is a number of bytes, or text such as '512MiB'"):
        byte_count(size)


class Streaming:
    """The parts of an engine that stream weights. takes: the most it lets be set."""

    def __init__(self, engine: Any, streamable: int, takes: int = 1 << 40) -> None:
        self._engine, self.streamable_weights_size, self._takes = engine, streamable, takes
        self._budget = streamable

    @property
    def weight_streaming_budget_v2(self) -> int:
        return self._budget

    @weight_streaming_budget_v2.setter
    def weight_streaming_budget_v2(self, budget: int) -> None:
        assert not self._engine.contexts, "TensorRT wants the budget before there are contexts"
        self._budget = min(budget, self._takes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


def streaming(budget: Any, streamable: int, takes: int = 1 << 40) -> tuple[Engine, list[Any]]:
    engine, opener = engine_of(lambda x: x * 2)
    made: list[Any] = []

    def opened(plan: Any, device: int) -> Any:
        from dataclasses import replace

        found = opener(plan)
        made.append(Streaming(found.engine, streamable, takes))
        return replace(found, engine=made[-1])

    engine = Engine(engine.plan, opened)
    engine.weight_streaming_budget = budget
    return engine, made


@pytest.mark.parametrize(("budget", "found"), [("1KiB", 1024), (0, 0), (10**9, 5000), (None, 5000)])
def test_a_budget_of_streamed_weights_is_set_before_the_first_context(budget: Any, found: int) -> None:
    engine, made = streaming(budget, 5000)
    np.testing.assert_array_equal(engine(x()), x() * 2)
    assert made[0].weight_streaming_budget_v2 == found


def test_an_engine_without_streamed_weights() -> None:
    engine, _ = streaming("1KiB", 0)
    with pytest.raises(PlanError, match=r"build it with\s+BuildConfig\(weight_streaming=True\)"):
        engine(x())


def test_a_budget_that_tensorrt_does_not_take() -> None:
    engine, _ = streaming("1KiB", 5000, takes=512)
    with pytest.raises(DeviceError, match="did not accept a budget of 1,024 bytes for streamed weights: it is 512"):
        engine(x())
