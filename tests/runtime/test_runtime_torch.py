"""torch CUDA tensors in and out, on a fake device: in place, in the order of torch's streams."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
from helpers.runtime.engines import engine_of, x
from helpers.runtime.fakes import FakeStream, Opener, Tensor

import trtnet
from trtnet.runtime import Engine
from trtnet.support.errors import InputError, ProfileError


@pytest.fixture
def doubling() -> tuple[Engine, Opener]:
    engine, opener = engine_of(lambda x: x * 2 + 1)
    opener.device.activate()
    return engine, opener


def passed(opener: Opener, handle: int) -> None:
    """Waits for a stream of torch's and for nothing else."""
    opener.device.synchronize(opener.device.streams[handle])


@pytest.mark.parametrize("foreign", [0, 77])
def test_results_come_in_the_order_of_the_current_stream_without_waiting(
    doubling: tuple[Engine, Opener], foreign: int
) -> None:
    engine, opener = doubling
    opener.device.streams[foreign] = FakeStream(foreign)
    opener.torch.current = foreign
    for n in (2, 8, 1):
        found = engine(opener.torch.tensor(x(n)))
        assert isinstance(found, Tensor) and found.shape == (n, 3) and found.dtype == torch.float32
        passed(opener, foreign)
        np.testing.assert_array_equal(found.values, x(n) * 2 + 1)
    assert opener.device.synchronizations == 3, "the runtime waited"
    assert len(opener.engine.contexts) == 1


def test_tensors_are_read_and_written_in_place(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    given = opener.torch.tensor(x())
    found = engine(x=given)
    assert opener.engine.contexts[0].addresses == {"x": given.data_ptr(), "output": found.data_ptr()}


def test_an_input_changed_after_submit_is_changed_after_the_call(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    given = opener.torch.tensor(x())
    pending = engine.submit(given)
    opener.device.streams[0].work.append(lambda: given.values.fill(-1))
    found = pending.result()
    passed(opener, 0)
    np.testing.assert_array_equal(found.values, x() * 2 + 1)


def test_calls_share_a_context_one_after_another_from_any_stream(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    opener.device.streams[9] = FakeStream(9)
    found = []
    for i, stream in enumerate((0, 9, 0, 9)):
        opener.torch.current = stream
        found.append(engine(opener.torch.tensor(x() * i)))
    for stream in (9, 0):
        passed(opener, stream)
    for i, tensor in enumerate(found):
        np.testing.assert_array_equal(tensor.values, x() * i * 2 + 1)
    assert len(opener.engine.contexts) == 1


def test_a_result_asked_on_another_stream_is_ordered_there_each_time(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    pending = engine.submit(opener.torch.tensor(x()))
    for stream in (5, 6):
        opener.device.streams[stream] = FakeStream(stream)
        opener.torch.current = stream
        found = pending.result()
        assert (found, stream) in opener.torch.kept
    passed(opener, 6)
    np.testing.assert_array_equal(found.values, x() * 2 + 1)


def test_inputs_are_kept_from_reuse_until_the_stream_has_passed(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    given = opener.torch.tensor(x())
    engine(given)
    assert opener.torch.kept == [(given, 0)]


def test_strided_and_misaligned_tensors_are_copied(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    strided = opener.torch.tensor(x())
    strided.strided = True
    for given in (strided, opener.torch.tensor(x(), offset=12)):
        found = engine(given)
        passed(opener, 0)
        np.testing.assert_array_equal(found.values, x() * 2 + 1)
        assert opener.engine.contexts[0].addresses["x"] != given.data_ptr()


def test_numpy_and_torch_take_turns(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    session = engine.session()
    waiting = session.submit(x() * 3)
    found = session(opener.torch.tensor(x() * 4))
    np.testing.assert_array_equal(session(x()), x() * 2 + 1)
    np.testing.assert_array_equal(found.values, x() * 8 + 1)
    np.testing.assert_array_equal(waiting.result(), x() * 6 + 1)


def test_bfloat16_and_several_outputs() -> None:
    engine, opener = engine_of(
        lambda a, b: {"sum": a + b, "minus": -b},
        {"a": trtnet.Input(("n", 3), "bfloat16"), "b": trtnet.Input(("n", 3), "bfloat16")},
        dtype="bfloat16",
    )
    a, b = (opener.torch.tensor(x(2, ml_dtypes.bfloat16)) for _ in range(2))
    found = engine(a, b=b)
    passed(opener, 0)
    assert found.keys() == ("sum", "minus") and found["sum"].dtype == torch.bfloat16
    np.testing.assert_array_equal(found["sum"].values.astype(np.float32), x() * 2)


def refused(engine: Engine, error: type[Exception], text: str, *tensors: Any) -> None:
    with pytest.raises(error, match=text):
        engine(*tensors)


def test_what_is_refused(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    elsewhere = opener.torch.tensor(x())
    elsewhere.device = torch.device("cuda", 1)
    refused(engine, InputError, "input x is on cuda:1, the engine on cuda:0", elsewhere)
    refused(engine, InputError, "found .* float16", opener.torch.tensor(x(2, np.float16)))
    refused(engine, ProfileError, "x 9x3 fits no optimization profile", opener.torch.tensor(x(9)))
    refused(engine, InputError, r"on cpu; give tensor.cuda\(\) or tensor.numpy\(\)", torch.ones(2, 3))
    found = engine(opener.torch.tensor(x()))
    passed(opener, 0)
    np.testing.assert_array_equal(found.values, x() * 2 + 1)
