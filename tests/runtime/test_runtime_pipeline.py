"""Pipelines: results in order, errors in their place, memory bounded and freed; on a fake device."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from helpers.runtime.engines import doubling_engine, engine_of, idle, x
from helpers.runtime.fakes import Opener
from helpers.threads import in_threads

import trtnet
from trtnet.runtime import Engine
from trtnet.support.errors import InputError, ProfileError, TrtnetError

TWO = {"a": trtnet.Input(("n", 3)), "b": trtnet.Input(("n", 3), "int64")}


@pytest.fixture
def doubling() -> tuple[Engine, Opener]:
    return doubling_engine()


def expect(found: list[np.ndarray], given: list[np.ndarray]) -> None:
    assert len(found) == len(given)
    for one, values in zip(found, given, strict=True):
        np.testing.assert_array_equal(one, values * 2 + 1)


@pytest.mark.parametrize("depth", [1, 2, 3, 7])
@pytest.mark.parametrize("count", [0, 1, 3, 20])
def test_results_are_in_order_and_the_callers_own(doubling: tuple[Engine, Opener], depth: int, count: int) -> None:
    engine, opener = doubling
    given = [x((2, 16, 3)[i % 3]) * i for i in range(count)]
    expect(list(engine.pipeline(given, depth)), given)
    assert idle(opener.device) and len(opener.engine.contexts) <= 1


def test_it_takes_no_more_than_depth_ahead_and_only_when_asked(doubling: tuple[Engine, Opener]) -> None:
    taken: list[int] = []

    def items() -> Iterator[np.ndarray]:
        for i in range(10):
            taken.append(i)
            yield x() * i

    results = doubling[0].pipeline(items(), depth=3)
    assert taken == []
    for i, found in enumerate(results):
        assert len(taken) == min(i + 3, 10)
        np.testing.assert_array_equal(found, x() * i * 2 + 1)


def test_an_endless_iterable_and_a_pipeline_that_is_closed(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    results = engine.pipeline(x() * i for i in itertools.count())
    for i in range(50):
        np.testing.assert_array_equal(next(results), x() * i * 2 + 1)
    results.close()
    assert idle(opener.device)
    with pytest.raises(StopIteration):
        next(results)


def test_a_pipeline_that_is_forgotten_waits_and_frees_its_memory(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    next(engine.pipeline(x() for _ in itertools.count()))
    assert idle(opener.device)
    allocations = opener.device.allocations
    engine.pipeline([x()])
    assert opener.device.allocations == allocations, "one that was never asked allocates nothing"


def test_an_item_may_be_changed_when_the_next_is_asked_for(doubling: tuple[Engine, Opener]) -> None:
    buffer = x()

    def items() -> Iterator[np.ndarray]:
        for i in range(9):
            buffer[...] = x() * i
            yield buffer

    expect(list(doubling[0].pipeline(items())), [x() * i for i in range(9)])


@pytest.mark.parametrize("form", [dict, tuple])
def test_several_inputs_and_outputs(form: Any) -> None:
    engine, _ = engine_of(lambda a, b: {"sum": a + b, "less": a < b}, TWO)
    given = [(x() * i, x(2, np.int64)) for i in range(5)]
    items = [dict(zip("ab", pair, strict=True)) if form is dict else pair for pair in given]
    for found, (a, b) in zip(engine.pipeline(items), given, strict=True):
        np.testing.assert_array_equal(found["sum"], a + b)
        np.testing.assert_array_equal(found["less"], a < b)


WRONG = [
    (np.ones((2, 4), np.float32), InputError, r"found \[2, 4\] float32"),
    (x(2, np.float64), InputError, "convert it first"),
    (x(17), ProfileError, "fits no optimization profile"),
    ([1.0], InputError, "takes an array; found list"),
    ((x(), x()), InputError, "2 inputs given by position"),
    ({"y": x()}, InputError, "there is no input 'y'"),
    (torch.ones(2, 3), InputError, "is a torch tensor on cpu"),
]


@pytest.mark.parametrize("at", [0, 1, 2, 3, 6])
@pytest.mark.parametrize(("wrong", "error", "text"), WRONG)
def test_an_item_that_does_not_fit_is_an_error_in_its_place(
    doubling: tuple[Engine, Opener], at: int, wrong: Any, error: type[Exception], text: str
) -> None:
    engine, opener = doubling
    good = [x() * i for i in range(8)]
    items = iter([*good[:at], wrong, *good[at:]])
    results, found = engine.pipeline(items), []
    with pytest.raises(error, match=text):
        found.extend(results)
    expect(found, good[:at])
    # nothing after it was taken: what is left can be run by another pipeline
    expect(list(engine.pipeline(items)), good[at:])
    assert idle(opener.device)


@pytest.mark.parametrize("batch", [None, 3])
def test_what_the_iterable_raises_comes_in_its_place(doubling: tuple[Engine, Opener], batch: int | None) -> None:
    def items() -> Iterator[np.ndarray]:
        yield from given
        raise OSError("the disk is gone")

    given = [x() * i if batch is None else x(1)[0] * i for i in range(7)]
    results, found = doubling[0].pipeline(items(), batch=batch), []
    with pytest.raises(OSError, match="the disk is gone"):
        found.extend(results)
    expect(found, given)


def test_a_failed_execution_is_an_error_in_its_place(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling

    def items() -> Iterator[np.ndarray]:
        for i in range(9):
            if i == 5:
                opener.engine.refuses = "execution"
            yield x(2 if i < 5 else 3) * i

    results, found = engine.pipeline(items()), []
    with pytest.raises(TrtnetError, match="TensorRT did not run the engine\n  TensorRT: no execution today"):
        found.extend(results)
    expect(found, [x(2) * i for i in range(5)])
    opener.engine.refuses = ""
    np.testing.assert_array_equal(engine(x()), x() * 2 + 1)


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 23])
def test_samples_are_gathered_into_batches(doubling: tuple[Engine, Opener], count: int) -> None:
    engine, opener = doubling
    given = [x(1)[0] * i for i in range(count)]
    found = list(engine.pipeline(given, batch=4))
    expect(found, given)
    assert all(one.flags.owndata for one in found)
    assert opener.device.clock == 3 * math.ceil(count / 4), "an upload, an execution and a download each"
    assert idle(opener.device)


def test_it_takes_no_more_than_depth_batches_ahead(doubling: tuple[Engine, Opener]) -> None:
    taken: list[int] = []

    def items() -> Iterator[np.ndarray]:
        for i in itertools.count():
            taken.append(i)
            yield x(1)[0] * i

    results = doubling[0].pipeline(items(), depth=2, batch=4)
    for i in range(20):
        np.testing.assert_array_equal(next(results), x(1)[0] * i * 2 + 1)
        assert len(taken) == 8 + 4 * (i // 4)
    results.close()


def test_a_short_batch_is_filled_up_where_the_profile_is_static() -> None:
    engine, opener = engine_of(lambda x: x - x.sum(dim=0, keepdim=True), dims={"n": 4})
    given = [x(1)[0] * (i + 1) for i in range(6)]
    found = list(engine.pipeline(given, batch=4))
    for start, stop in ((0, 4), (4, 6)):
        total = np.sum(given[start:stop], axis=0)
        for one, values in zip(found[start:stop], given[start:stop], strict=True):
            np.testing.assert_array_equal(one, values - total, "rows beyond the samples are zero")
    assert {context.shapes["x"] for context in opener.engine.contexts} == {(4, 3)}


def test_samples_of_other_shapes_begin_other_batches_and_profiles_limit_them() -> None:
    inputs = {"x": trtnet.Input(("n", "m"))}
    profiles = [{"n": (1, 2, 8), "m": (1, 2, 4)}, {"n": (2, 2, 3), "m": (5, 6, 9)}]
    engine, _ = engine_of(lambda x: x * 2 + 1, inputs, profiles)
    widths = [3, 3, 7, 7, 7, 7, 7, 4, 9, 2]
    given = [np.full(width, i, np.float32) for i, width in enumerate(widths)]
    expect(list(engine.pipeline(given, batch=8)), given)
    with pytest.raises(ProfileError, match=r"a batch of samples x \[10\] fits no optimization profile\n  profile 0"):
        next(engine.pipeline([np.zeros(10, np.float32)], batch=2))
    with pytest.raises(ProfileError, match="a batch of 9 fits no optimization profile"):
        engine.pipeline(given, batch=9)


def test_samples_of_several_inputs_and_outputs() -> None:
    engine, _ = engine_of(lambda a, b: {"sum": a + b, "most": a.amax(dim=1)}, TWO)
    given = [(x(1)[0] * i, x(1, np.int64)[0]) for i in range(5)]
    found = list(engine.pipeline(({"b": b, "a": a} for a, b in given), batch=2))
    for one, (a, b) in zip(found, given, strict=True):
        np.testing.assert_array_equal(one["sum"], a + b)
        assert one["most"].shape == () and one["most"] == a.max()


@pytest.mark.parametrize("at", [0, 1, 4, 6])
@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (x(1), r"input x \[3\] float32 has 1 dimension; found \[1, 3\] float32"),
        (np.ones(4, np.float32), r"found \[4\] float32"),
        (np.ones(3), "convert it first"),
        (torch.ones(3), "samples are numpy arrays"),
    ],
)
def test_a_sample_that_does_not_fit_is_an_error_in_its_place(
    doubling: tuple[Engine, Opener], at: int, wrong: Any, text: str
) -> None:
    engine, _ = doubling
    good = [x(1)[0] * i for i in range(9)]
    items = iter([*good[:at], wrong, *good[at:]])
    results, found = engine.pipeline(items, batch=4), []
    with pytest.raises(InputError, match=text):
        found.extend(results)
    expect(found, good[:at])
    expect(list(engine.pipeline(items, batch=4)), good[at:])


def test_what_cannot_be_is_refused_at_once(doubling: tuple[Engine, Opener]) -> None:
    engine, _ = doubling
    with pytest.raises(InputError, match="depth is the number of inferences in flight, at least 1; found 0"):
        engine.pipeline([], depth=0)
    for batch in (0, 17):
        with pytest.raises(ProfileError, match=f"a batch of {batch} fits no optimization profile\n  profile 0"):
            engine.pipeline([], batch=batch)
    total, _ = engine_of(lambda x: x.sum(dim=0))
    with pytest.raises(InputError, match=r"need a batch axis, .*: x \[n, 3\] float32, output \[3\] float32"):
        total.pipeline([], batch=2)


def test_pipelines_side_by_side_and_handed_from_thread_to_thread(doubling: tuple[Engine, Opener]) -> None:
    engine, _ = doubling
    shared = engine.pipeline([x() * i for i in range(40)])
    expect([next(shared)], [x() * 0])

    def work(seed: int) -> None:
        given = [x(1 + i % 4) * (seed + 1) for i in range(20)]
        expect(list(engine.pipeline(given)), given)
        if seed == 0:
            expect(list(shared), [x() * i for i in range(1, 40)])

    in_threads(work, 3)
