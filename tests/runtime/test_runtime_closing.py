"""Closing sessions and engines: results stay, memory goes, calls afterwards are errors; on a fake device."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest
from helpers.processes import output_of
from helpers.runtime.engines import engine_of, x
from helpers.runtime.fakes import Opener

from trtnet.runtime import Engine
from trtnet.support.backend import supports
from trtnet.support.errors import ClosedError


@pytest.fixture
def doubling() -> tuple[Engine, Opener]:
    engine, opener = engine_of(lambda x: x * 2 + 1)
    opener.device.activate()
    return engine, opener


def test_a_closed_session_has_no_memory_and_takes_no_calls(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    with engine.session() as session:
        for _ in range(4):
            session(x())
        assert opener.device.memory and opener.device.graphs
    assert not opener.device.memory and opener.device.trims == 1
    for call in (session, session.submit):
        with pytest.raises(ClosedError, match="the session was closed, or its engine was"):
            call(x())
    session.close()


def test_results_of_calls_under_way_stay(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    session = engine.session()
    tensor = session(opener.torch.tensor(x(4)))
    waiting = session.submit(x())
    dropped = engine.session()
    dropped.submit(x() * 5)
    for one in (session, dropped):
        one.close()
    np.testing.assert_array_equal(waiting.result(), x() * 2 + 1)
    opener.device.synchronize(opener.device.streams[0])
    np.testing.assert_array_equal(tensor.values, x(4) * 2 + 1)


def test_calls_with_the_same_tensors_are_refused_too(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    session = engine.session()
    given, out = opener.torch.tensor(x()), opener.torch.tensor(x() * 0)
    for _ in range(5):
        session(given, out=out)
    session.close()
    with pytest.raises(ClosedError):
        session(given, out=out)


def test_tensorrts_context_goes_when_a_session_is_closed(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    session = engine.session()
    session(x())
    gone: list[str] = []
    weakref.finalize(opener.engine.contexts[0], gone.append, "context")
    opener.engine.contexts.clear()
    session.close()
    assert gone == ["context"]


def test_memory_is_what_it_was_after_many_sessions(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    before = opener.device.free_memory()
    for n in (1, 8, 3):
        with engine.session() as session:
            session(x(n))
            assert opener.device.free_memory() < before
        assert opener.device.free_memory() == before


def engine_closed(engine: Engine, opener: Opener) -> list[Any]:
    """What is left of an engine's parts."""
    gone: list[str] = []
    for name, part in (("engine", opener.engine), ("context", opener.engine.contexts[0])):
        weakref.finalize(part, gone.append, name)
    del part
    opener.engine.contexts.clear()
    opener.engines.clear()
    engine.close()
    gc.collect()
    return gone


def test_a_closed_engine_gives_everything_back_and_takes_no_calls(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    session, waiting = engine.session(), engine.submit(x())
    engine(x(4))
    session(x(3))
    assert engine_closed(engine, opener) == ["context", "engine"]
    assert not opener.device.memory
    np.testing.assert_array_equal(waiting.result(), x() * 2 + 1)
    for call in (engine, engine.submit, session):
        with pytest.raises(ClosedError):
            call(x())
    with pytest.raises(ClosedError, match=r"the engine was closed; load it again: trtnet.load\(path\)"):
        engine.session()
    engine.close()


def test_an_engine_that_never_ran_closes_too(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    with engine:
        pass
    with pytest.raises(ClosedError):
        engine(x())
    assert opener.engines == []


ENDS = """
import itertools
from helpers.runtime.fakes import FakeContext, FakeEngine, FakeRuntimeCache
from helpers.runtime.engines import engine_of, x

kept = []
for _ in range(3):
    engine, opener = engine_of(lambda x: x * 2 + 1)
    session, waiting = engine.session(), engine.submit(x())
    batcher, results = engine.batcher(4), engine.pipeline(x() for _ in itertools.count())
    session(x()), next(results), batcher.submit(x()[0]).result()
    opener.engine.contexts.clear()
    opener.engine.config = None
    kept += [engine, opener, session, waiting, batcher, results, kept]
    for part, name in (FakeContext, "context"), (FakeRuntimeCache, "kernels"), (FakeEngine, "engine"):
        part.__del__ = lambda self, name=name: print(name, end=" ", flush=True)
print("end", end=" ", flush=True)
"""


@pytest.mark.skipif(not supports("runtime_cache"), reason="this TensorRT has no runtime cache")
def test_at_the_end_of_a_process_contexts_go_before_kernels_and_engines() -> None:
    """Python takes what a process leaves apart in any order, which TensorRT does not survive."""
    order = output_of(ENDS).split()
    one = ["context"] * 4 + ["kernels"]
    assert order[: 1 + 3 * len(one)] == ["end", *one, *one, *one], order
    assert set(order[1 + 3 * len(one) :]) <= {"engine"}
