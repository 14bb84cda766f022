"""CUDA graphs of a session: captured when a call comes again, by shapes, profile and addresses; on a fake device."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
from helpers.runtime.engines import engine_of, x
from helpers.runtime.fakes import FakeStream, Opener, Tensor

from trtnet.runtime import Engine
from trtnet.runtime.execution import graph_cache as graphs
from trtnet.support.backend import supports, trt
from trtnet.support.errors import InputError

PROFILES = [{"n": (1, 2, 4)}, {"n": (3, 8, 16)}]


@pytest.fixture
def doubling() -> tuple[Engine, Opener]:
    engine, opener = engine_of(lambda x: x * 2 + 1, dims=PROFILES)
    opener.device.activate()
    return engine, opener


def expect(found: Any, given: np.ndarray, opener: Opener) -> None:
    if isinstance(found, Tensor):
        opener.device.synchronize(opener.device.streams[opener.torch.current])
        found = found.values
    np.testing.assert_array_equal(found, given * 2 + 1)


def test_numpy_calls_become_graphs_a_shape_and_profile_each(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    session = engine.session()
    session(x(16))  # the buffers have their final size
    for i in range(6):
        for n in (2, 16, 3):
            expect(session(x(n) * i), x(n) * i, opener)
    launches = [len(graph.launches) for graph in opener.device.graphs]
    # 2 and 3 fit profile 0, 16 and 3 fit profile 1: 3 stays in the profile that it finds
    assert len(launches) == 3 and sum(launches) == 18 - 5
    assert session.no_cuda_graph == ""


def test_grown_buffers_are_captured_again(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    session = engine.session(profile=1)
    for n in (4, 4, 4, 16, 16, 4, 4, 4):
        expect(session(x(n)), x(n), opener)
    assert [len(graph.launches) for graph in opener.device.graphs] == [1, 0, 1]


def test_torch_calls_with_the_same_tensors_are_launched_on_torchs_stream(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    session = engine.session()
    given, out = opener.torch.tensor(x()), opener.torch.tensor(x() * 0)
    for _ in range(4):
        assert session(given, out=out) is out
    for stream in (7, 8, 7):
        opener.device.streams.setdefault(stream, FakeStream(stream))
        opener.torch.current = stream
        expect(session(given, out=out), x(), opener)
    (graph,) = opener.device.graphs
    assert graph.launches == [0, 0, 7, 8, 7]


def test_a_graph_comes_after_what_the_session_did_on_other_streams(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    session = engine.session()
    given, out = opener.torch.tensor(x()), opener.torch.tensor(x() * 0)
    for _ in range(3):
        session(given, out=out)
    late = session.submit(x(4) * 3)
    opener.device.streams[7] = FakeStream(7)
    opener.torch.current = 7
    expect(session(given, out=out), x(), opener)
    expect(late.result(), x(4) * 3, opener)
    opener.torch.current = 0
    expect(session(given, out=out), x(), opener)


def sized(opener: Opener, session: Any, *sizes: int) -> list[int]:
    """Calls with arrays of these sizes. Returns how often each graph so far was launched."""
    for size in sizes:
        expect(session(x(size)), x(size), opener)
    return [len(graph.launches) for graph in opener.device.graphs]


def test_the_eight_graphs_used_last_are_kept(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    session = engine.session()
    sized(opener, session, 16)  # the staging memory does not grow any more
    eight = range(5, 13)
    assert sized(opener, session, *eight, *eight, *eight) == [1] * 8
    assert sized(opener, session, 5) == [2, *[1] * 7]
    assert sized(opener, session, *[13] * (graphs.PAUSE - 10)) == [2, *[1] * 7], "not yet a ninth"
    assert len(sized(opener, session, *[13] * 10)) == 9
    before = sized(opener, session)
    assert sized(opener, session, 5) == [before[0] + 1, *before[1:]]
    assert sized(opener, session, 6) == [before[0] + 1, *before[1:]], "the one that was not used for longest went"


def test_where_more_take_turns_than_are_kept_one_execution_in_32_is_captured(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    session = engine.session()
    sizes = [5 + step * 5 % 12 for step in range(600)]
    launches = sized(opener, session, 16, *sizes)
    assert 8 < len(launches) <= 8 + 600 / graphs.PAUSE and sum(launches) > 200


def test_an_engines_own_calls_become_graphs(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    for _ in range(4):
        expect(engine(x()), x(), opener)
    assert [len(graph.launches) for graph in opener.device.graphs] == [2]


def test_where_cuda_captures_nothing_the_session_says_why(
    doubling: tuple[Engine, Opener], caplog: pytest.LogCaptureFixture
) -> None:
    engine, opener = doubling
    opener.device.refuses_capture = "CUDA did not capture the graph: not today"
    session = engine.session()
    with caplog.at_level(logging.WARNING):
        for _ in range(4):
            expect(session(x()), x(), opener)
    assert session.no_cuda_graph == "CUDA did not capture the graph: not today"
    assert caplog.text.count("not today") == 1


def test_without_graphs(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    engine.cuda_graph = False
    session = engine.session(cuda_graph=False)
    for _ in range(4):
        expect(session(x()), x(), opener)
        expect(engine(x()), x(), opener)
    assert opener.device.graphs == [] and session.no_cuda_graph == "cuda_graph=False"


@pytest.mark.skipif(not supports("cuda_graph_strategy"), reason="this TensorRT makes no CUDA graphs by itself")
def test_graphs_of_the_backend(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    with engine.session(cuda_graph="backend") as session:
        assert opener.engine.config.cuda_graph_strategy == trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
        for _ in range(4):
            expect(session(x()), x(), opener)
        assert opener.device.graphs == [] and session.no_cuda_graph == ""
    engine.session()
    assert opener.engine.config.cuda_graph_strategy is None


def test_a_backend_that_makes_no_graphs_says_so(
    doubling: tuple[Engine, Opener], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, _ = doubling
    with pytest.raises(InputError, match="cuda_graph is True, False or \"backend\"; found 'always'"):
        engine.session(cuda_graph="always")
    monkeypatch.setattr("trtnet.runtime.execution.context_options.supports", lambda feature: False)
    with pytest.raises(InputError, match=r"has no CUDA graphs of its own; cuda_graph=True captures them"):
        engine.session(cuda_graph="backend")


def test_a_stream_of_the_callers_takes_everything(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling

    class Theirs:
        cuda_stream = 5

    opener.device.streams[5] = FakeStream(5)
    session = engine.session(stream=Theirs())
    given, out = opener.torch.tensor(x()), opener.torch.tensor(x() * 0)
    for _ in range(4):
        expect(session(given, out=out), x(), opener)
        expect(session(x(4)), x(4), opener)
    assert {handle for graph in opener.device.graphs for handle in graph.launches} == {5}
    assert set(opener.device.streams) == {0, 5}
