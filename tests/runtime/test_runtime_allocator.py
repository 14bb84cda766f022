"""Outputs whose shape depends on data: memory when TensorRT asks for it, results of the real shape; fake device."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.runtime.engines import unbuilt, x
from helpers.runtime.fakes import FakeStream, Opener, Tensor

from trtnet import ops
from trtnet.runtime import Engine
from trtnet.runtime.execution.context import Context
from trtnet.support import backend
from trtnet.support.errors import DeviceError, InputError, TrtnetError


@pytest.fixture
def finding(monkeypatch: pytest.MonkeyPatch) -> tuple[Engine, Opener]:
    """Where values are above 4, and twice the values."""
    monkeypatch.setattr(backend, "NO_KERNELS", {})
    return unbuilt(lambda x: {"double": x * 2, "where": ops.nonzero(x > 4)}, {"where"})


GIVEN = [x(2), x(8), x(1), x(3) * -1, x(4), x(2) * 9]


def expected(given: np.ndarray) -> np.ndarray:
    return np.argwhere(given > 4)


def test_numpy_results_have_the_real_shape(finding: tuple[Engine, Opener]) -> None:
    engine, opener = finding
    for given in GIVEN:
        found = engine(given)
        np.testing.assert_array_equal(found["where"], expected(given))
        np.testing.assert_array_equal(found["double"], given * 2)
        assert found.keys() == ("double", "where")
    assert len(opener.engine.contexts) == 1


def test_its_memory_is_kept_and_grows_as_needed(finding: tuple[Engine, Opener]) -> None:
    engine, opener = finding
    session = engine.session()
    session(x(8))
    before = opener.device.allocations
    for given in GIVEN:
        session(given)
    assert opener.device.allocations == before


@pytest.mark.parametrize("current", [0, 5])
def test_torch_results_are_new_tensors_in_the_order_of_torchs_stream(
    finding: tuple[Engine, Opener], current: int
) -> None:
    engine, opener = finding
    opener.device.streams.setdefault(current, FakeStream(current))
    opener.torch.current = current
    session = engine.session()
    results = [(given, session(opener.torch.tensor(given))) for given in GIVEN]
    opener.device.synchronize(opener.device.streams[current])
    for given, found in results:
        assert found.keys() == ("double", "where") and isinstance(found["where"], Tensor)
        np.testing.assert_array_equal(found["where"].values, expected(given))
        np.testing.assert_array_equal(found["double"].values, given * 2)


def test_such_a_call_is_not_a_cuda_graph_and_the_session_says_why(finding: tuple[Engine, Opener]) -> None:
    engine, opener = finding
    session = engine.session()
    for _ in range(4):
        session(x())
    assert session.no_cuda_graph == "the shape of output where depends on data"
    assert opener.device.graphs == []


def test_results_cannot_be_given(finding: tuple[Engine, Opener]) -> None:
    engine, _ = finding
    out = {"double": np.zeros((2, 3), np.float32), "where": np.zeros((2, 2), np.int64)}
    with pytest.raises(InputError, match=r"the shape of output where .* depends on data, so out= cannot be given"):
        engine(x(), out=out)
    np.testing.assert_array_equal(engine(x())["where"], expected(x()))


def test_an_output_of_nothing(finding: tuple[Engine, Opener]) -> None:
    engine, opener = finding
    assert engine(-x())["where"].shape == (0, 2)
    found = engine(opener.torch.tensor(-x()))
    assert found["where"].shape == (0, 2)
    np.testing.assert_array_equal(engine(x())["where"], expected(x()))


def test_without_memory_the_error_is_the_devices(
    finding: tuple[Engine, Opener], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, opener = finding
    session = engine.session()
    session(-x())  # all else is allocated now

    def full(nbytes: int, stream: FakeStream) -> Any:
        raise DeviceError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(opener.device, "allocate", full)
        with pytest.raises(DeviceError, match="out of memory"):
            session(x(2) * 100)
    np.testing.assert_array_equal(session(x())["where"], expected(x()))


def test_a_failed_execution_is_an_error_in_tensorrts_words(finding: tuple[Engine, Opener]) -> None:
    engine, opener = finding
    engine(x())
    opener.engine.refuses = "execution"
    with pytest.raises(TrtnetError, match="did not run the engine\n  TensorRT: no execution today"):
        engine(x())
    opener.engine.refuses = ""
    np.testing.assert_array_equal(engine(x())["where"], expected(x()))


def test_a_context_that_is_given_no_memory_refuses(finding: tuple[Engine, Opener]) -> None:
    engine, _ = finding
    context = Context(engine.open())
    with pytest.raises(InputError, match=r"the shape of output where .* depends on data: call a session"):
        context.set_shapes({"x": (2, 3)}, 0, 0)


def test_a_context_that_makes_way_for_a_new_one(
    finding: tuple[Engine, Opener], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, opener = finding
    monkeypatch.setattr("trtnet.runtime.execution.context.lifetime", lambda: 6)
    session = engine.session()
    for step in range(30):
        given = x(1 + step % 8) - step % 3
        np.testing.assert_array_equal(session(given)["where"], expected(given))
    assert len(opener.engine.contexts) == 5
