"""Inputs that say sizes: their values in host memory, by profile, for numpy and torch calls; on a fake device."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from helpers.comparing import network_of
from helpers.runtime.engines import x
from helpers.runtime.fakes import Opener, Tensor

import trtnet
from trtnet import ops
from trtnet.runtime import Engine
from trtnet.runtime.execution.shape_inputs import VALUES
from trtnet.support.errors import InputError, PlanError, ProfileError

SIZES = trtnet.Input((2,), "int64", values=("rows", "columns"))
COUNT = trtnet.Input((), "int32", values=("k",))


def repeated(a: Any, size: Any) -> Any:
    rows, columns = size.tolist()
    return a.sum().reshape(1, 1).expand(rows, columns) + 0 * a[:1, :1]


def opened(function: Any, inputs: Any, dims: Any) -> tuple[Engine, Opener]:
    network = network_of(function, inputs)
    opener = Opener(network.reference())
    opener.device.activate()
    return Engine(network.build(dims).plan, opener), opener


@pytest.fixture
def repeating() -> tuple[Engine, Opener]:
    dims = [{"n": (1, 2, 8), "rows": (1, 2, 4), "columns": (1, 2, 4)}, {"n": 2, "rows": 9, "columns": (1, 2, 99)}]
    return opened(repeated, {"a": trtnet.Input(("n", 3)), "size": SIZES}, dims)


def expected(a: np.ndarray, rows: int, columns: int) -> np.ndarray:
    return np.full((rows, columns), a.sum(), np.float32)


@pytest.mark.parametrize("kind", [list, tuple, np.array, lambda v: np.array(v, np.int32), torch.tensor])
def test_values_are_ints_or_arrays_on_the_cpu(repeating: tuple[Engine, Opener], kind: Any) -> None:
    engine, _ = repeating
    for size in ((2, 3), (4, 1), (2, 3), (1, 1)):
        np.testing.assert_array_equal(engine(x(), kind(size)), expected(x(), *size))
        np.testing.assert_array_equal(engine(size=kind(size), a=x(3)), expected(x(3), *size))


def test_with_torch_tensors(repeating: tuple[Engine, Opener]) -> None:
    engine, opener = repeating
    session = engine.session()
    given = opener.torch.tensor(x())
    results = [(size, session(given, size)) for size in ((2, 3), (4, 1), (9, 50), (2, 3), (1, 4))]
    opener.device.synchronize(opener.device.streams[0])
    for size, found in results:
        assert isinstance(found, Tensor)
        np.testing.assert_array_equal(found.values, expected(x(), *size))


def test_one_value_may_come_bare() -> None:
    engine, _ = opened(
        lambda a, k: a[:, : k.item()] * 2, {"a": trtnet.Input(("n", 3)), "k": COUNT}, {"n": (1, 2, 8), "k": (1, 2, 3)}
    )
    for k in (2, np.int32(3), np.array(1), [2], np.array([3]), torch.tensor(1)):
        np.testing.assert_array_equal(engine(x(), k), x()[:, : int(np.asarray(k).reshape(()))] * 2)


def test_nothing_but_sizes() -> None:
    engine, _ = opened(lambda k: ops.arange(k.item()) * 2, {"k": COUNT}, {"k": (1, 2, 9)})
    for k in (3, 9, 1):
        np.testing.assert_array_equal(engine(k), np.arange(k) * 2)


def test_a_profile_takes_values_too(repeating: tuple[Engine, Opener]) -> None:
    engine, opener = repeating
    session = engine.session()
    for size in ((2, 3), (9, 70), (4, 4)):
        np.testing.assert_array_equal(session(x(), size), expected(x(), *size))
    assert opener.engine.contexts[-1].profiles == [0, 1, 0]
    with pytest.raises(ProfileError) as caught:
        session(x(), (5, 4))
    assert str(caught.value).splitlines() == [
        "a 2x3, size 5x4 fits no optimization profile of the engine",
        "  profile 0: a from 1x3 to 8x3; size from 1x1 to 4x4",
        "  profile 1: a from 2x3 to 2x3; size from 9x1 to 9x99",
    ]


def test_other_values_are_other_graphs_and_each_reads_its_own(repeating: tuple[Engine, Opener]) -> None:
    engine, opener = repeating
    session = engine.session()
    for _ in range(4):
        for size in ((2, 3), (3, 2)):
            np.testing.assert_array_equal(session(x(), size), expected(x(), *size))
    assert [len(graph.launches) for graph in opener.device.graphs] == [2, 2]


def test_many_values_keep_no_memory_and_what_is_queued_reads_its_own(repeating: tuple[Engine, Opener]) -> None:
    engine, opener = repeating
    session = engine.session(profile=1)
    given, results = opener.torch.tensor(x()), []
    for step in range(2 * VALUES + 20):
        columns = 1 + step % 99
        rows = 9
        results.append((columns, session(given, (rows, columns))))
    assert not session._context.values.full
    opener.device.synchronize(opener.device.streams[0])
    for columns, found in results:
        np.testing.assert_array_equal(found.values, expected(x(), 9, columns))


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ((2.0, 3.0), r"input size \[2\] int64 takes ints, or an array of integers; found \(2.0, 3.0\)"),
        ((2,), r"takes values for rows, columns; found \(2,\)"),
        (3, "takes values for rows, columns; found 3"),
        (np.ones((1, 2), np.int64), "takes ints, or an array of integers|takes values for rows, columns"),
        ("ab", "takes ints, or an array of integers; found 'ab'"),
        (None, "takes ints, or an array of integers; found None"),
        (np.array([True, False]), "takes ints"),
        ([[1], [2, 3]], "takes ints, or an array of integers"),
    ],
)
def test_values_that_do_not_fit(repeating: tuple[Engine, Opener], given: Any, text: str) -> None:
    engine, _ = repeating
    with pytest.raises(InputError, match=text):
        engine(x(), given)
    np.testing.assert_array_equal(engine(x(), (1, 2)), expected(x(), 1, 2))


def test_values_on_the_gpu_are_refused(repeating: tuple[Engine, Opener]) -> None:
    engine, opener = repeating
    with pytest.raises(
        InputError, match=r"size .* is a shape input, which the host must know: give ints, or tensor.cpu\(\)"
    ):
        engine(x(), opener.torch.tensor(np.array([1, 2])))


def test_a_tensorrt_that_wants_them_elsewhere(repeating: tuple[Engine, Opener]) -> None:
    engine, opener = repeating
    engine.open()
    opener.engine.host = {"size", "a"}
    with pytest.raises(PlanError, match=r"a \[n, 3\] float32 is a shape input, in host memory"):
        engine.session()
    opener.engine.host = set()
    with pytest.raises(PlanError, match=r"size \[2\] int64 is a shape input in device memory"):
        engine.session()


def test_a_context_that_makes_way_for_a_new_one(
    repeating: tuple[Engine, Opener], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, opener = repeating
    monkeypatch.setattr("trtnet.runtime.execution.context.lifetime", lambda: 6)
    session = engine.session(profile=1)
    for step in range(30):
        columns = 1 + step % 20
        np.testing.assert_array_equal(session(x(), (9, columns)), expected(x(), 9, columns))
    assert len(opener.engine.contexts) == 5
