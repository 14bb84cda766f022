"""Where results go: given arrays, inputs that are written in place, other libraries' arrays; on a fake device."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from helpers.runtime.engines import engine_of, x
from helpers.runtime.fakes import Opener, Tensor

import trtnet
from trtnet.runtime import Engine
from trtnet.support.errors import InputError

AB = {"a": trtnet.Input(("n", 3)), "b": trtnet.Input(("n", 3))}


@pytest.fixture
def doubling() -> tuple[Engine, Opener]:
    engine, opener = engine_of(lambda x: x * 2 + 1)
    opener.device.activate()
    return engine, opener


def test_numpy_results_in_given_arrays(doubling: tuple[Engine, Opener]) -> None:
    engine, _ = doubling
    wide = np.zeros((4, 6), np.float32)
    for out in (np.zeros((4, 3), np.float32), wide[:, ::2], {"output": np.zeros((4, 3), np.float32)}):
        array = out["output"] if isinstance(out, dict) else out
        assert engine(x(4), out=out) is array
        np.testing.assert_array_equal(array, x(4) * 2 + 1)
    assert not wide[:, 1::2].any()


def test_several_outputs_in_given_arrays_by_name() -> None:
    engine, _ = engine_of(lambda x: {"double": x * 2, "minus": -x})
    out = {"minus": np.zeros((2, 3), np.float32), "double": np.zeros((2, 3), np.float32)}
    found = engine(x(), out=out)
    assert found["minus"] is out["minus"] and found.keys() == ("double", "minus")
    np.testing.assert_array_equal(out["double"], x() * 2)
    with pytest.raises(InputError, match="out= takes arrays by name, for the outputs double, minus"):
        engine(x(), out=out["minus"])
    with pytest.raises(InputError, match="out= names minus; the outputs are double, minus"):
        engine(x(), out={"minus": out["minus"]})


def test_given_results_that_do_not_fit(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    tensor = opener.torch.tensor(x())
    strided = opener.torch.tensor(x())
    strided.strided = True
    for given, out, text in (
        (x(), np.zeros((3, 3), np.float32), r"out= of output output must be \[2, 3\] float32; found \[3, 3\] float32"),
        (x(), np.zeros((2, 3), np.float64), r"must be \[2, 3\] float32; found \[2, 3\] float64"),
        (x(), tensor, "must be a numpy array, as the inputs are; found Tensor"),
        (tensor, np.zeros((2, 3), np.float32), "must be a torch tensor on the GPU, as the inputs are; found ndarray"),
        (tensor, opener.torch.tensor(x(3)), r"must be \[2, 3\] float32; found \[3, 3\] float32"),
        (tensor, strided, "output is written to, so its tensor must be contiguous"),
        (tensor, opener.torch.tensor(x(), offset=4), "must be contiguous and begin at a multiple of 256 bytes"),
    ):
        with pytest.raises(InputError, match=text):
            engine(given, out=out)
    np.testing.assert_array_equal(engine(x()), x() * 2 + 1)


def test_results_share_no_memory_with_inputs_or_each_other() -> None:
    engine, opener = engine_of(lambda a, b: {"sum": a + b, "difference": a - b}, AB)
    opener.device.activate()
    a, b, c, d = (opener.torch.tensor(x() * k) for k in range(1, 5))
    for out, text in (
        ({"sum": a, "difference": c}, "out= of output sum shares memory with input a: give it memory of its own"),
        ({"sum": c, "difference": b}, "out= of output difference shares memory with input b"),
        ({"sum": c, "difference": c}, "out= of output difference shares memory with output sum"),
    ):
        with pytest.raises(InputError, match=text):
            engine(a, b, out=out)
    engine(a, b, out={"sum": c, "difference": d})
    same, wide = np.zeros((2, 3), np.float32), np.zeros((2, 6), np.float32)
    with pytest.raises(InputError, match="out= of output difference shares memory with output sum"):
        engine(x(), x(), out={"sum": same, "difference": same})
    engine(x(), x(), out={"sum": wide[:, ::2], "difference": wide[:, 1::2]})
    np.testing.assert_array_equal(wide[:, ::2], x() * 2)
    assert not wide[:, 1::2].any()


def test_an_input_may_be_called_out() -> None:
    engine, _ = engine_of(lambda out: out * 2, {"out": trtnet.Input(("n", 3))})
    np.testing.assert_array_equal(engine(out=x()), x() * 2)


def aliased() -> tuple[Engine, Opener]:
    """An engine whose output is written in the place of input b."""
    engine, opener = engine_of(lambda a, b: {"next": a + b, "seen": b * 1}, AB)
    engine.open()
    opener.engine.aliases["next"] = "b"
    opener.device.activate()
    return engine, opener


def test_an_output_in_an_inputs_place_is_that_input() -> None:
    engine, opener = aliased()
    session = engine.session()
    a, cache = opener.torch.tensor(x()), opener.torch.tensor(x() * 10)
    found = [session(a, cache) for _ in range(5)]
    assert all(outputs["next"] is cache for outputs in found)
    opener.device.synchronize(opener.device.streams[0])
    np.testing.assert_array_equal(cache.values, x() * 15)
    cache.strided = True
    with pytest.raises(InputError, match="b is written to, so its tensor must be contiguous"):
        session(a, cache)
    with pytest.raises(InputError, match="output next is written in the place of input b: out= must be that tensor"):
        session(a, a, out={"next": opener.torch.tensor(x()), "seen": opener.torch.tensor(x())})


def test_numpy_with_an_output_in_an_inputs_place() -> None:
    engine, opener = aliased()
    session = engine.session()
    cache = x() * 10
    for i in range(4):
        found = session(x(), cache)
        np.testing.assert_array_equal(found["seen"], x() * (10 + i))
        cache = found["next"]
    np.testing.assert_array_equal(cache, x() * 14)
    assert opener.engine.contexts[-1].addresses["next"] == opener.engine.contexts[-1].addresses["b"]


class Foreign:
    """Another library's array on the GPU."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        self.shape, self.dtype = tensor.shape, tensor.dtype

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, 0


@pytest.mark.parametrize("has_from_dlpack", [True, False])
def test_arrays_of_other_libraries(
    doubling: tuple[Engine, Opener], has_from_dlpack: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, opener = doubling
    library: Any = ModuleType("othernumpy")
    if has_from_dlpack:
        library.from_dlpack = Foreign
    monkeypatch.setitem(sys.modules, "othernumpy", library)
    monkeypatch.setattr(Foreign, "__module__", "othernumpy")
    given = opener.torch.tensor(x())
    found = engine(Foreign(given))
    assert isinstance(found, Foreign if has_from_dlpack else Tensor)
    opener.device.synchronize(opener.device.streams[0])
    np.testing.assert_array_equal((found.tensor if has_from_dlpack else found).values, x() * 2 + 1)
    out = Foreign(opener.torch.tensor(x()))
    assert engine(x=Foreign(given), out=out) is out
    assert opener.engine.contexts[0].addresses["x"] == given.data_ptr()


def test_large_arrays_may_be_changed_as_soon_as_they_are_given() -> None:
    engine, _ = engine_of(lambda x: x * 2 + 1, dims={"n": (1, 2, 1 << 18)})
    session = engine.session()
    large = np.random.default_rng(0).random((1 << 18, 3)).astype(np.float32)
    for given in (large.copy(), np.asfortranarray(large), large.copy()):
        pending = session.submit(given)
        given[...] = 0
        np.testing.assert_array_equal(pending.result(), large * 2 + 1)
    small = large[:2].copy()
    np.testing.assert_array_equal(session(small), small * 2 + 1)
