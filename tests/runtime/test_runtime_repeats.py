"""Calls that come again with the same tensors: launched at once, looked at anew as soon as anything is different."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest
import torch
from helpers.runtime.engines import engine_of, x
from helpers.runtime.fakes import FakeStream, Opener, Tensor

from trtnet.runtime import Session
from trtnet.support.errors import InputError, TrtnetError


@pytest.fixture
def doubling() -> tuple[Session, Opener]:
    engine, opener = engine_of(lambda x: x * 2 + 1, dims={"n": (1, 2, 16)})
    opener.device.activate()
    return engine.session(), opener


def values(opener: Opener, found: Tensor) -> np.ndarray:
    opener.device.synchronize(opener.device.streams[opener.torch.current])
    return found.values


def looked_at(session: Session, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The calls of which the arguments are looked at, from now on."""
    calls: list[Any] = []
    submit = session._submit

    def counted(args: Any, kwargs: Any, finished: Any) -> Any:
        calls.append((args, kwargs))
        return submit(args, kwargs, finished)

    monkeypatch.setattr(session, "_submit", counted)
    return calls


def warm(session: Session, *pairs: tuple[Tensor, Tensor]) -> None:
    for _ in range(3):
        for given, out in pairs:
            session(given, out=out)


def warmed(session: Session, opener: Opener) -> tuple[Tensor, Tensor]:
    """An input and where its result goes, after a few calls."""
    given, out = opener.torch.tensor(x()), opener.torch.tensor(x() * 0)
    warm(session, (given, out))
    return given, out


def test_the_same_tensors_are_not_looked_at_again(
    doubling: tuple[Session, Opener], monkeypatch: pytest.MonkeyPatch
) -> None:
    session, opener = doubling
    pairs = [(opener.torch.tensor(x() + i), opener.torch.tensor(x() * 0)) for i in range(2)]
    warm(session, *pairs)
    calls = looked_at(session, monkeypatch)
    for i, (given, out) in [*enumerate(pairs)] * 2:
        out.values[...] = 0
        assert session(given, out=out) is out
        np.testing.assert_array_equal(values(opener, out), (x() + i) * 2 + 1)
    assert calls == []


def test_what_is_in_the_tensors_may_change(doubling: tuple[Session, Opener]) -> None:
    session, opener = doubling
    given, out = warmed(session, opener)
    values(opener, out)
    given.values[...] = 5
    assert (values(opener, session(given, out=out)) == 11).all()


def test_another_order_of_names_is_another_call(
    doubling: tuple[Session, Opener], monkeypatch: pytest.MonkeyPatch
) -> None:
    session, opener = doubling
    given, out = warmed(session, opener)
    with pytest.raises(InputError):
        session(out=given, y=out)
    calls = looked_at(session, monkeypatch)
    np.testing.assert_array_equal(values(opener, session(out, out=given)), 2 * (2 * x() + 1) + 1)
    assert len(calls) == 1


def test_a_tensor_that_moved_or_changed_its_shape_is_looked_at(
    doubling: tuple[Session, Opener], monkeypatch: pytest.MonkeyPatch
) -> None:
    session, opener = doubling
    given, out = warmed(session, opener)
    values(opener, out)
    calls = looked_at(session, monkeypatch)
    other = opener.torch.tensor(x() + 3)
    given.buffer = other.buffer
    np.testing.assert_array_equal(values(opener, session(given, out=out)), (x() + 3) * 2 + 1)
    given.shape = (*given.shape, 1)
    with pytest.raises(InputError):
        session(given, out=out)
    given.shape, given.dtype = given.shape[:-1], torch.int32
    with pytest.raises(InputError):
        session(given, out=out)
    assert len(calls) == 3


def test_a_strided_input_is_read_through_a_copy_each_time(
    doubling: tuple[Session, Opener], monkeypatch: pytest.MonkeyPatch
) -> None:
    session, opener = doubling
    given, out = opener.torch.tensor(x()), opener.torch.tensor(x() * 0)
    given.strided = True
    warm(session, (given, out))
    calls = looked_at(session, monkeypatch)
    session(given, out=out)
    assert len(calls) == 1


def test_it_is_launched_on_the_current_stream_after_the_sessions_other_work(doubling: tuple[Session, Opener]) -> None:
    session, opener = doubling
    given, out = warmed(session, opener)
    late = session.submit(x(4) * 3)
    opener.device.streams[7] = FakeStream(7)
    opener.torch.current = 7
    np.testing.assert_array_equal(values(opener, session(given, out=out)), x() * 2 + 1)
    np.testing.assert_array_equal(late.result(), x(4) * 6 + 1)
    assert opener.device.graphs[0].launches[-1] == 7


def test_tensors_are_not_kept_alive(doubling: tuple[Session, Opener]) -> None:
    session, opener = doubling
    given, out = warmed(session, opener)
    values(opener, out)
    opener.torch.kept.clear()
    for stream in opener.device.streams.values():  # what is queued there keeps its tensors
        stream.run(len(stream.work))
        stream.work.clear()
        stream.done = 0
    gone = weakref.ref(given)
    del given
    gc.collect()
    assert gone() is None


def test_other_tensors_in_the_same_places_are_the_same_call(
    doubling: tuple[Session, Opener], monkeypatch: pytest.MonkeyPatch
) -> None:
    session, opener = doubling
    given, out = warmed(session, opener)
    calls = looked_at(session, monkeypatch)
    view = opener.torch.tensor(x() * 0)
    values(opener, out)
    view.buffer = given.buffer
    np.testing.assert_array_equal(values(opener, session(view, out=out)), x() * 2 + 1)
    assert calls == []


def test_without_graphs_they_are_queued_at_once_whatever_came_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, opener = engine_of(lambda x: x * 2 + 1, dims=[{"n": (1, 2, 4)}, {"n": (5, 8, 16)}])
    opener.device.activate()
    session = engine.session(cuda_graph=False)
    pairs = [(opener.torch.tensor(x(n)), opener.torch.tensor(x(n) * 0)) for n in (2, 16)]
    warm(session, *pairs)
    calls = looked_at(session, monkeypatch)
    for given, out in pairs * 2:
        values(opener, out)
        given.values[...] += 1
        np.testing.assert_array_equal(values(opener, session(given, out=out)), given.values * 2 + 1)
    assert calls == [] and opener.device.graphs == []
    opener.engine.refuses = "execution"
    with pytest.raises(TrtnetError, match="no execution today"):
        session(pairs[0][0], out=pairs[0][1])


def test_several_outputs_in_a_dict() -> None:
    engine, opener = engine_of(lambda x: {"double": x * 2, "next": x + 1}, dims={"n": (1, 2, 16)})
    opener.device.activate()
    session = engine.session()
    given = opener.torch.tensor(x())
    out = {"double": opener.torch.tensor(x() * 0), "next": opener.torch.tensor(x() * 0)}
    for _ in range(4):
        assert dict(session(given, out=out)) == out
    swapped = {"double": out["next"], "next": out["double"]}
    found = session(given, out=swapped)
    np.testing.assert_array_equal(values(opener, found["double"]), x() * 2)
    np.testing.assert_array_equal(values(opener, found["next"]), x() + 1)


def test_sizes_among_the_inputs_and_streams_of_the_callers_have_no_repeats(doubling: tuple[Session, Opener]) -> None:
    engine, opener = engine_of(lambda x: x * 2, dims={"n": (1, 2, 16)})
    opener.device.activate()
    opener.device.streams[5] = FakeStream(5)
    session = engine.session(stream=5)
    warmed(session, opener)
    assert {handle for graph in opener.device.graphs for handle in graph.launches} == {5}
