"""Contexts that make way for new ones: TensorRT-RTX keeps memory for each change of shapes, until its context goes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from helpers.runtime.engines import engine_of, x
from helpers.runtime.fakes import Opener
from helpers.threads import in_threads

from trtnet.runtime import Engine
from trtnet.runtime.execution import context_options as creation
from trtnet.runtime.profiling import LayerProfiler
from trtnet.support import backend
from trtnet.support.errors import TrtnetError

CHANGES = 6


@pytest.fixture(autouse=True)
def short_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trtnet.runtime.execution.context.lifetime", lambda: CHANGES)


@pytest.fixture
def doubling() -> tuple[Engine, Opener]:
    engine, opener = engine_of(lambda x: x * 2 + 1, dims={"n": (1, 2, 16)})
    opener.device.activate()
    return engine, opener


def call(session: Any, n: int, seed: float = 1) -> None:
    np.testing.assert_array_equal(session(x(n) * seed), x(n) * seed * 2 + 1)


@pytest.mark.parametrize("graphs", [True, False])
def test_a_context_is_replaced_after_many_changes_of_shapes(doubling: tuple[Engine, Opener], graphs: bool) -> None:
    engine, opener = doubling
    session = engine.session(cuda_graph=graphs)
    for step in range(40):  # more shapes than graphs are kept
        call(session, 1 + step % 12, step)
    assert len(opener.engine.contexts) == math.ceil(40 / CHANGES)
    assert {context.executions for context in opener.engine.contexts[:-1]} == {CHANGES}


def test_it_stays_where_shapes_stay(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    with engine.session(cuda_graph=False) as session:
        for step in range(5 * CHANGES):
            call(session, 2, step)
    assert len(opener.engine.contexts) == 1


def test_graphs_of_the_context_before_are_not_launched(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    session, tensors = engine.session(), [opener.torch.tensor(x(n)) for n in (2, 3)]
    outs = [opener.torch.tensor(x(n) * 0) for n in (2, 3)]
    for _ in range(4):
        for given, out in zip(tensors, outs, strict=True):
            session(given, out=out)
            call(session, out.shape[0])
    old, launches = list(opener.device.graphs), [len(graph.launches) for graph in opener.device.graphs]
    assert len(old) == 4 and min(launches) > 0
    for n in range(4, 16):
        call(session, n)
    assert len(opener.engine.contexts) > 1
    for _ in range(4):
        for given, out in zip(tensors, outs, strict=True):
            out.values[...] = 0
            session(given, out=out)
            opener.device.synchronize(opener.device.streams[opener.torch.current])
            np.testing.assert_array_equal(out.values, x(out.shape[0]) * 2 + 1)
            call(session, out.shape[0])
    assert [len(graph.launches) for graph in old] == launches
    assert all(graph.launches for graph in opener.device.graphs[-4:]), "there are new ones"


def test_repeats_without_graphs(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    session = engine.session(cuda_graph=False)
    pairs = [(opener.torch.tensor(x(n)), opener.torch.tensor(x(n) * 0)) for n in (2, 3)]
    for step in range(3 * CHANGES):
        given, out = pairs[step % 2]
        out.values[...] = 0
        session(given, out=out)
        opener.device.synchronize(opener.device.streams[opener.torch.current])
        np.testing.assert_array_equal(out.values, x(out.shape[0]) * 2 + 1)
    assert len(opener.engine.contexts) == 3


def test_the_slots_of_a_pipeline(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    given = [x(1 + (i // 4 if i % 3 else 3) % 16) * i for i in range(100)]
    for found, array in zip(engine.pipeline(given, depth=3), given, strict=True):
        np.testing.assert_array_equal(found, array * 2 + 1)
    assert len(opener.engine.contexts) > 2


def test_threads_with_memory_in_common(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    memory = engine.activation_memory()

    def work(seed: int) -> None:
        with engine.session(memory=memory) as session:
            for step in range(30):
                call(session, 1 + (seed + step // 2) % 16, seed)

    in_threads(work)
    assert len(opener.engine.contexts) > 8 and all(context.needs_memory for context in opener.engine.contexts)


def test_the_profiler_and_nvtx_go_on(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    session, profiler = engine.session(cuda_graph=False, nvtx="detailed"), LayerProfiler()
    session.report_layers(profiler)
    for step in range(2 * CHANGES):
        call(session, 1 + step % 2)
    first, second = opener.engine.contexts
    assert second.profiler is first.profiler is profiler
    assert second.nvtx_verbosity == first.nvtx_verbosity == backend.trt.ProfilingVerbosity.DETAILED


def test_profiles_are_chosen_again() -> None:
    engine, opener = engine_of(lambda x: x * 2 + 1, dims=[{"n": (1, 2, 4)}, {"n": (5, 6, 16)}])
    session = engine.session(profile=1, cuda_graph=False)
    for step in range(3 * CHANGES):
        call(session, 5 + step % 3)
    assert [context.profiles[-1] for context in opener.engine.contexts] == [1, 1, 1]


def test_what_tensorrt_refuses_fails_that_call_and_the_next_one_tries_again(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    session = engine.session()
    for step in range(CHANGES):
        call(session, 1 + step)
    opener.engine.refuses = "context"
    for _ in range(2):
        with pytest.raises(TrtnetError, match="TensorRT made no execution context"):
            session(x(9))
    opener.engine.refuses = ""
    call(session, 9)
    call(session, 1)
    session.close()
    assert len(opener.engine.contexts) == 2


@pytest.mark.parametrize(("rtx", "changes"), [(True, creation.SHAPE_CHANGES), (False, math.inf)])
def test_only_tensorrt_rtx_needs_it(rtx: bool, changes: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(creation, "supports", lambda feature: rtx)
    assert creation.lifetime() == changes
