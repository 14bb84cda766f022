"""The runtime on a machine without a GPU: its logic on a fake device, and its refusal on the real one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
from helpers.comparing import network_of
from helpers.runtime.engines import X, engine_of, x
from helpers.runtime.fakes import Opener
from helpers.threads import in_threads

import trtnet
from trtnet.runtime import Engine, Session
from trtnet.support import backend
from trtnet.support.errors import DeviceError, InputError, PlanError, ProfileError, TrtnetError


@pytest.fixture
def doubling() -> tuple[Engine, Opener]:
    return engine_of(lambda x: x * 2 + 1)


def test_numpy_by_position_and_by_name_at_changing_sizes(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    for n in (2, 1, 8, 3):
        np.testing.assert_array_equal(engine(x(n)), x(n) * 2 + 1)
        np.testing.assert_array_equal(engine(x=x(n)), x(n) * 2 + 1)
    assert len(opener.engines) == 1 and len(opener.engines[0].contexts) == 1


def test_results_are_the_callers_own(doubling: tuple[Engine, Opener]) -> None:
    engine, _ = doubling
    first = engine(x())
    kept = first.copy()
    engine(x() * 100)
    np.testing.assert_array_equal(first, kept)


def test_buffers_grow_and_are_kept(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    for n in (1, 8):
        engine(x(n))
    before = opener.device.allocations
    for n in (1, 8, 4):
        engine(x(n))
    assert opener.device.allocations == before == 8


def test_non_contiguous_inputs(doubling: tuple[Engine, Opener]) -> None:
    strided = np.arange(24, dtype=np.float32).reshape(4, 6)[:, ::2]
    np.testing.assert_array_equal(doubling[0](strided), strided * 2 + 1)
    np.testing.assert_array_equal(doubling[0](x(3).T), x(3).T * 2 + 1)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision(dtype: str) -> None:
    engine, _ = engine_of(lambda x: x * 2, dtype=dtype)
    numpy = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16}[dtype]
    found = engine(x(2, numpy))
    assert found.dtype == numpy
    np.testing.assert_array_equal(found.astype(np.float32), x(2) * 2)


def test_several_inputs_and_outputs() -> None:
    inputs = {"a": trtnet.Input(("n", 3)), "b": trtnet.Input(("n", 3), "int64")}
    engine, _ = engine_of(lambda a, b: {"sum": a + b, "less": a < b}, inputs)
    outputs = engine(x(), b=x(2, np.int64))
    assert outputs.keys() == ("sum", "less")
    np.testing.assert_array_equal(outputs["sum"], x() * 2)
    assert outputs["less"].dtype == np.bool_


def test_submit_keeps_the_results_of_a_call_that_was_not_asked_yet(doubling: tuple[Engine, Opener]) -> None:
    session = doubling[0].session()
    pending = [session.submit(x() * i) for i in range(4)]
    for i in (3, 0, 2, 1):
        np.testing.assert_array_equal(pending[i].result(), x() * i * 2 + 1)
    np.testing.assert_array_equal(pending[0].result(), x() * 0 * 2 + 1)


def test_inputs_may_change_after_submit(doubling: tuple[Engine, Opener]) -> None:
    values = x()
    pending = doubling[0].submit(values)
    values[...] = -1
    np.testing.assert_array_equal(pending.result(), x() * 2 + 1)


def test_submissions_side_by_side_use_contexts_of_their_own(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    engine.cuda_graph = False
    pending = [engine.submit(x() * i) for i in range(3)]
    assert len(opener.engines[0].contexts) == 3
    for i, one in enumerate(pending):
        np.testing.assert_array_equal(one.result(), x() * i * 2 + 1)
    pending = [engine.submit(x()) for _ in range(2)]
    assert [context.executions for context in opener.engine.contexts] == [1, 2, 2]
    for one in pending:
        one.result()
    assert len(opener.engine.contexts) == 3


def test_threads(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling

    def work(seed: int) -> None:
        for i in range(20):
            values = x(1 + (seed + i) % 8) * (seed + 1)
            np.testing.assert_array_equal(engine(values), values * 2 + 1)

    in_threads(work)
    assert len(opener.engines) == 1 and len(opener.engines[0].contexts) <= 4


def test_one_session_in_two_threads(doubling: tuple[Engine, Opener]) -> None:
    session = doubling[0].session()
    results: dict[int, np.ndarray] = {}
    in_threads(lambda i: results.update({i: session(x() * i)}), 6)
    for i, result in results.items():
        np.testing.assert_array_equal(result, x() * i * 2 + 1)
    assert len(results) == 6


def test_profiles_are_chosen_by_shape_and_kept_while_they_fit() -> None:
    engine, opener = engine_of(lambda x: -x, dims=[{"n": (1, 2, 4)}, {"n": (3, 8, 16)}])
    session = engine.session()
    for n in (1, 4, 16, 3, 2):
        np.testing.assert_array_equal(session(x(n)), -x(n))
    assert opener.engines[0].contexts[-1].profiles == [0, 1, 0]


def test_a_session_can_stay_in_one_profile() -> None:
    engine, opener = engine_of(lambda x: -x, dims=[{"n": (1, 2, 4)}, {"n": (3, 8, 16)}])
    session = engine.session(profile=1)
    session(x(4))
    assert opener.engines[0].contexts[-1].profiles == [0, 1]
    with pytest.raises(ProfileError, match="stays in profile 1"):
        session(x(2))
    with pytest.raises(ProfileError, match="there is no profile 2: the engine has 2"):
        engine.session(profile=2)


def test_a_shape_outside_all_profiles_prints_the_ranges() -> None:
    engine, _ = engine_of(lambda x: -x, dims=[{"n": (1, 2, 4)}, {"n": (8, 8, 16)}])
    with pytest.raises(ProfileError) as caught:
        engine(x(5))
    assert str(caught.value).splitlines() == [
        "x 5x3 fits no optimization profile of the engine",
        "  profile 0: x from 1x3 to 4x3",
        "  profile 1: x from 8x3 to 16x3",
    ]
    np.testing.assert_array_equal(engine(x(4)), -x(4))


@pytest.mark.parametrize(
    ("args", "kwargs", "text"),
    [
        ((), {}, r"input x is missing; it takes x \[n, 3\] float32"),
        ((x(), x()), {}, "2 inputs given by position"),
        ((x(),), {"x": x()}, "by position and by name"),
        ((), {"y": x()}, "there is no input 'y'"),
        ((x(2, np.float64),), {}, r"input x \[n, 3\] float32: found \[2, 3\] float64; convert it first"),
        ((x(2, np.float16),), {}, "found .* float16"),
        ((np.ones((2, 4), np.float32),), {}, r"input x \[n, 3\] float32: found \[2, 4\] float32"),
        ((np.ones(3, np.float32),), {}, "has 2 dimensions"),
        (([[1.0, 2.0, 3.0]],), {}, "takes an array; found list"),
        ((torch.ones(2, 3),), {}, "is a torch tensor on cpu; give tensor.cuda\\(\\) or tensor.numpy\\(\\)"),
    ],
)
def test_inputs_that_do_not_fit(doubling: tuple[Engine, Opener], args: Any, kwargs: Any, text: str) -> None:
    engine, _ = doubling
    with pytest.raises(InputError, match=text):
        engine(*args, **kwargs)
    np.testing.assert_array_equal(engine(x()), x() * 2 + 1)


def test_an_empty_batch() -> None:
    engine, _ = engine_of(lambda x: x * 2, {"x": trtnet.Input(("n", 3))}, dims={"n": (0, 2, 8)})
    assert engine(np.zeros((0, 3), np.float32)).shape == (0, 3)
    np.testing.assert_array_equal(engine(x()), x() * 2)
    narrow, _ = engine_of(lambda x: x * 2, {"x": trtnet.Input(("n", 3))}, dims={"n": (1, 2, 8)})
    with pytest.raises(ProfileError, match=r"x 0x3 fits no optimization profile"):
        narrow(np.zeros((0, 3), np.float32))


def test_equal_names_have_equal_sizes_and_kinds_are_not_mixed() -> None:
    engine, _ = engine_of(lambda a, b: a + b, {"a": trtnet.Input(("n", 3)), "b": trtnet.Input(("n", 3))})
    with pytest.raises(InputError, match=r"input b \[n, 3\] float32: n is 2 in a; found \[4, 3\] float32"):
        engine(x(2), x(4))
    with pytest.raises(InputError, match="numpy arrays and torch tensors; give all of one kind"):
        engine(x(2), torch.ones(2, 3))


def test_a_failed_execution_is_an_error_and_the_engine_lives_on(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    engine(x())
    opener.engine.refuses = "execution"
    with pytest.raises(TrtnetError, match=r"TensorRT did not run the engine\n  TensorRT: no execution today$"):
        engine(x() * 5)
    opener.engine.refuses = ""
    np.testing.assert_array_equal(engine(x(8)), x(8) * 2 + 1)
    assert len(opener.engine.contexts) == 1


def gpu_is_usable() -> bool:
    from trtnet.runtime.cuda.device import CudaDevice

    try:
        CudaDevice()
    except DeviceError:
        return False
    return True


@pytest.mark.skipif(gpu_is_usable(), reason="this machine has a GPU")
def test_without_a_gpu_calling_an_engine_points_to_the_reference(tmp_path: Path) -> None:
    engine = network_of(lambda x: x * 2, X).build({"n": 2})
    engine.save(tmp_path / "e.engine")
    for one in (engine, trtnet.load(tmp_path / "e.engine")):
        with pytest.raises(DeviceError, match=r"no usable GPU: (.|\n)*network\.reference\(\) runs the same network"):
            one(x())


def test_a_plan_of_another_backend_is_refused(tmp_path: Path) -> None:
    from dataclasses import replace

    plan = network_of(lambda x: x * 2, X).build({"n": 2}).plan
    other = replace(plan, info=replace(plan.info, backend="other", backend_version="9.9"))
    with pytest.raises(
        PlanError, match=f"built with other 9.9, this process uses {backend.name()}.*TRTNET_BACKEND=other"
    ):
        Engine(other)(x())


def test_sessions_are_public() -> None:
    engine, _ = engine_of(lambda x: x * 2)
    session = engine.session()
    assert type(session) is Session
    np.testing.assert_array_equal(session(x()), x() * 2)
