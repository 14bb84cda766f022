"""Calls of every kind, valid or not: never a wrong number, never an error that is not trtnet's; on a fake device."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.runtime.engines import engine_of
from helpers.runtime.fakes import FakeStream, Opener, Tensor
from hypothesis import HealthCheck, event, given, settings, strategies as st

import trtnet
from trtnet.runtime import Engine, Session
from trtnet.support import dtypes
from trtnet.support.errors import TrtnetError

DTYPES = ("float32", "float16", "bfloat16", "int32", "int64", "int8", "uint8", "bool", "float8_e4m3fn")


@pytest.fixture(scope="module")
def opened() -> tuple[Engine, Opener, list[Session]]:
    inputs = {"a": trtnet.Input(("n", 3)), "b": trtnet.Input(("n", "m"), "int32")}
    dims = [{"n": (1, 2, 4), "m": (1, 2, 3)}, {"n": (3, 4, 8), "m": (1, 2, 3)}]
    engine, opener = engine_of(lambda a, b: {"sum": a * 2, "twice": b + b}, inputs, dims)
    return engine, opener, [engine.session(), engine.session(cuda_graph=False), engine.session(profile=0)]


@st.composite
def arrays(draw: st.DrawFn, dtype: str, rows: int, columns: int) -> Any:
    """An array as asked for most of the time, with any strides; else of another shape or dtype, or no array."""
    if draw(st.integers(0, 19)) == 0:
        return draw(st.sampled_from([None, 3, [[1.0, 2.0, 3.0]], "array", np.float32(1), np.ones((), np.float32)]))
    if draw(st.integers(0, 9)) == 0:
        dtype = draw(st.sampled_from(DTYPES))
    if draw(st.integers(0, 9)) == 0:
        rows, columns = draw(st.integers(0, 9)), draw(st.integers(0, 4))
    values = (np.arange(rows * columns) % 100 + draw(st.integers(0, 20))).reshape(rows, columns)
    array = values.astype(dtypes.get(dtype).numpy)
    return draw(st.sampled_from([lambda x: x, np.asfortranarray, lambda x: x[::-1], _every_other]))(array)


def _every_other(array: np.ndarray) -> np.ndarray:
    wide = np.zeros((array.shape[0], 2 * array.shape[1]), array.dtype)
    wide[:, ::2] = array
    return wide[:, ::2]


@st.composite
def calls(draw: st.DrawFn) -> tuple[list[Any], dict[str, Any], dict[str, Any] | None, bool, bool]:
    """(positional, named, out=, whether arrays are given as tensors on the GPU, whether out= is)."""
    rows, columns = draw(st.integers(1, 9)), draw(st.integers(1, 3))
    given = {"a": draw(arrays("float32", rows, 3)), "b": draw(arrays("int32", rows, columns))}
    positional = draw(st.integers(0, 2))
    args, kwargs = list(given.values())[:positional], dict(list(given.items())[positional:])
    if draw(st.integers(0, 14)) == 0:
        kwargs["a"] = given["a"]
    if draw(st.integers(0, 14)) == 0:
        kwargs.pop("b", None)
    if draw(st.integers(0, 14)) == 0:
        kwargs["c"] = given["a"]
    out = None
    if draw(st.booleans()):
        out = {"sum": draw(arrays("float32", rows, 3)), "twice": draw(arrays("int32", rows, columns))}
    on_device = draw(st.booleans())
    return args, kwargs, out, on_device, on_device if draw(st.integers(0, 9)) else not on_device


def moved(value: Any, opener: Opener, strided: bool = False, offset: int = 0) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    tensor = opener.torch.tensor(np.ascontiguousarray(value), offset)
    tensor.strided = strided
    return tensor


def values_of(value: Any) -> np.ndarray:
    return value.values if isinstance(value, Tensor) else value


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    call=calls(),
    which=st.integers(0, 3),
    stream=st.sampled_from([0, 9]),
    waits=st.booleans(),
    layout=st.tuples(st.booleans(), st.sampled_from([0, 0, 16])),
)
def test_calls(
    opened: tuple[Engine, Opener, list[Session]], call: Any, which: int, stream: int, waits: bool, layout: Any
) -> None:
    engine, opener, sessions = opened
    opener.device.activate()
    opener.device.streams.setdefault(stream, FakeStream(stream))
    opener.torch.current = stream
    args, kwargs, out, on_device, out_on_device = call
    if on_device:
        args = [moved(a, opener, *layout) for a in args]
        kwargs = {name: moved(a, opener, *layout) for name, a in kwargs.items()}
    if out is not None:
        out = {name: moved(a, opener) for name, a in out.items()} if out_on_device else out
        kwargs = {**kwargs, "out": out}
    runner = [*sessions, engine][which]
    try:
        found = runner(*args, **kwargs) if waits else runner.submit(*args, **kwargs).result()
    except TrtnetError:
        event("refused")
        return
    event("ran")
    opener.device.synchronize(opener.device.streams[stream])
    given = {**dict(zip(("a", "b"), args, strict=False)), **kwargs}
    np.testing.assert_array_equal(values_of(found["sum"]), values_of(given["a"]) * 2)
    np.testing.assert_array_equal(values_of(found["twice"]), values_of(given["b"]) * 2)
    if out is not None:
        assert found["sum"] is out["sum"] and found["twice"] is out["twice"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_goes_in_and_out(dtype: str) -> None:
    computes_in = dtype if dtype in ("float16", "bfloat16") else "float32"
    engine, opener = engine_of(lambda x: x, {"x": trtnet.Input(("n", 3), dtype)}, dtype=computes_in)
    opener.device.activate()
    values = (np.arange(6) % 3).reshape(2, 3).astype(dtypes.get(dtype).numpy)
    for found in (engine(values), engine(values[::-1])[::-1]):
        assert found.dtype == values.dtype
        np.testing.assert_array_equal(found.view(np.uint8), values.view(np.uint8))
    tensor = engine(opener.torch.tensor(values))
    opener.device.synchronize(opener.device.streams[0])
    np.testing.assert_array_equal(tensor.values.view(np.uint8), values.view(np.uint8))


def test_arrays_without_axes() -> None:
    engine, opener = engine_of(lambda x, y: x * 2 + y.sum(), {"x": trtnet.Input(()), "y": trtnet.Input(("n",))})
    opener.device.activate()
    y = np.ones(2, np.float32)
    for x in (np.array(3, np.float32), np.float32(3)):
        found = engine(x, y)
        assert found.shape == () and found == 8
    out = np.zeros((), np.float32)
    assert engine(np.array(4, np.float32), y, out=out) is out and out == 10
    tensor = engine(opener.torch.tensor(np.array(5, np.float32)), opener.torch.tensor(y))
    opener.device.synchronize(opener.device.streams[0])
    assert tensor.shape == () and tensor.values == 12
