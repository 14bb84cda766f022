"""What looks like torch must mean what torch means, or be refused: operators, argument orders, dtypes, numbers."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.comparing import network_of

import trtnet
from trtnet import ops
from trtnet.graph import Tensor
from trtnet.support import dtypes
from trtnet.support.errors import LayerError

K = np.array([0, 5, 6, 7])
B = np.array([True, False, True, False])


def result(function: Any, **arrays: Any) -> Any:
    inputs = {name: trtnet.Input(array.shape, array.dtype) for name, array in arrays.items()}
    narrow = any(array.dtype == np.float16 for array in arrays.values())
    return network_of(function, inputs, "float16" if narrow else "float32").reference()(**arrays)


@pytest.mark.parametrize("operator", ["and", "or", "xor"])
def test_operators_on_bits_are_of_bools_and_integers(operator: str) -> None:
    function = getattr(Tensor, f"__{operator}__")
    other = np.array([True, True, False, False])
    np.testing.assert_array_equal(result(function, x=B, y=other), getattr(B, f"__{operator}__")(other))
    np.testing.assert_array_equal(
        result(lambda x: getattr(x, f"__r{operator}__")(True), x=B), getattr(B, f"__{operator}__")(True)
    )
    for y in (K, K[::-1].copy()):
        np.testing.assert_array_equal(result(function, x=K, y=y), getattr(K, f"__{operator}__")(y))
    with pytest.raises(LayerError, match=r"takes bools and integers"):
        result(function, x=K.astype(np.float32), y=K)


def test_not() -> None:
    np.testing.assert_array_equal(result(lambda x: ~x, x=B), ~B)
    np.testing.assert_array_equal(result(lambda x: ~x, x=K), ~K)
    with pytest.raises(LayerError, match="~ takes bools and integers"):
        result(lambda x: ~x, x=K.astype(np.float32))


@pytest.mark.parametrize(
    "arguments",
    [(0, 1, 0.25), (0.5, 3.5), (2.5,), (0, 2.5), (5,), (5, 0, -1), (5, 0, -2), (6, 0, -2), (1, 8, 3)],
)
def test_arange(arguments: tuple[float, ...]) -> None:
    found, wanted = result(lambda x: ops.arange(*arguments) + x * 0, x=np.zeros(1, np.int64)), torch.arange(*arguments)
    assert found.dtype == wanted.numpy().dtype
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "float16", "float32"])
@pytest.mark.parametrize("arguments", [(2.5,), (0.5, 3.7), (0, 5, 1.5), (2.5, 7, 2.7), (0.1, 3, 0.7), (5, 0.5, -1.5)])
def test_arange_of_floats_in_another_dtype(arguments: tuple[float, ...], dtype: str) -> None:
    wanted_dtype = getattr(torch, dtype)
    if dtype == "int64" and arguments[-1] == 0.7:
        with pytest.raises(LayerError, match="no number of steps of 0 leads from 0 to 3"):
            result(lambda x: ops.arange(*arguments, dtype="int64"), x=np.zeros(1, np.int64))
        return
    network = network_of(lambda x: (x, ops.arange(*arguments, dtype=dtype)), {"x": trtnet.Input((1,))})
    _, found = network.reference()(np.zeros(1, np.float32))
    wanted = torch.arange(*arguments, dtype=wanted_dtype)
    assert found.dtype == wanted.numpy().dtype
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("arguments", [(5, 0), (0, 5, -1), (0, 5, 0), (5, 2.5, 0.5)])
def test_arange_that_does_not_arrive_is_refused_at_the_line(arguments: tuple[float, ...]) -> None:
    with pytest.raises(LayerError, match=r"(?s)no number of steps of .*test_like_torch\.py"):
        network_of(lambda x: ops.arange(*arguments), {"x": trtnet.Input((1,))})
    with pytest.raises(LayerError, match="of bool"):
        network_of(lambda x: ops.arange(3, dtype="bool"), {"x": trtnet.Input((1,))})


@pytest.mark.parametrize("step", [1, 2, 3, -1, -2, -3])
@pytest.mark.parametrize("n", [1, 5, 6, 7])
def test_arange_of_sizes_known_at_run_time(step: int, n: int) -> None:
    def counted(x: Any) -> Any:
        return ops.arange(0, x.shape[0], step) if step > 0 else ops.arange(x.shape[0], 0, step)

    found = network_of(counted, {"x": trtnet.Input(("n",))}).reference()(np.zeros(n, np.float32))
    np.testing.assert_array_equal(found, np.arange(0, n, step) if step > 0 else np.arange(n, 0, step))


def test_arange_of_fractions_and_such_sizes_is_refused() -> None:
    for call in (lambda n: ops.arange(0, n, 0.5), lambda n: ops.arange(n, 0.5), lambda n: ops.arange(n - 0.5)):
        with pytest.raises(LayerError, match="floats and sizes known at run time"):
            network_of(lambda x, call=call: call(x.shape[0]), {"x": trtnet.Input(("n",))})
    network = network_of(lambda x: ops.arange(0.5, x.shape[0]) + x * 0, {"x": trtnet.Input(("n",))})
    np.testing.assert_array_equal(network.reference()(np.zeros(3, np.float32)), [0.5, 1.5, 2.5])


@pytest.mark.parametrize(
    "name",
    ["rms_norm", "layer_norm", "group_norm", "batch_norm", "instance_norm", "embedding", "normalize", "glu"],
)
def test_arguments_stand_where_torchs_do(name: str) -> None:
    theirs, ours = (list(inspect.signature(getattr(module, name)).parameters)[1:] for module in (F, ops))
    assert [n for n in ours if n in theirs] == ours, "each has torch's name"
    assert theirs[: len(ours)] == ours, "and place"


def test_torchs_attention_by_position() -> None:
    q = np.random.default_rng(0).standard_normal((1, 2, 5, 8)).astype(np.float32)
    found = result(lambda q: ops.scaled_dot_product_attention(q, q, q, None, 0.0, True, 0.3), q=q)
    t = torch.from_numpy(q)
    np.testing.assert_allclose(found, F.scaled_dot_product_attention(t, t, t, None, 0.0, True, scale=0.3), atol=1e-6)
    with pytest.raises(LayerError, match=r"dropout_p is 0\.1"):
        result(lambda q: ops.scaled_dot_product_attention(q, q, q, None, 0.1), q=q)


def test_batch_norm_by_position() -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 4)).astype(np.float32)
    mean, var, gain, shift = np.float32([[0, 1, 2], [1e-6, 1, 2], [1, 2, 3], [3, 2, 1]])
    arguments = (mean, var, gain, shift)
    found = result(lambda x: ops.batch_norm(x, *arguments, False, 0.1, 1e-3), x=x)
    wanted = F.batch_norm(torch.from_numpy(x), *map(torch.from_numpy, arguments), False, 0.1, 1e-3)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
    found = result(lambda x: ops.instance_norm(x, *arguments, False, 0.1, 1e-3), x=x)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
    for function in (ops.batch_norm, ops.instance_norm):
        with pytest.raises(LayerError, match="needs running_mean"):
            result(lambda x, f=function: f(x, None, None, None, None, False), x=x)


@pytest.mark.parametrize("name", ["float32", "float16", "bfloat16", "int64", "bool", "float8_e4m3fn"])
def test_a_dtype_equals_every_spelling_of_it(name: str) -> None:
    dtype = dtypes.get(name)
    assert dtype == name and dtype == getattr(torch, name) and getattr(torch, name) == dtype
    assert dtype == dtype.numpy and dtype.numpy == dtype
    others = [other for other in dtypes.TABLE if other is not dtype]
    assert all(dtype != other and dtype != other.name for other in others)
    assert dtype is not None and dtype != None and dtype != 7 and dtype != "nonsense"  # noqa: E711
    assert {dtype: 1}[dtypes.get(name)] == 1


@pytest.mark.parametrize("value", [-1e9, 1e5, np.float32(7e4)])
def test_numbers_out_of_range_for_a_dtype(value: Any, caplog: pytest.LogCaptureFixture) -> None:
    x = np.zeros(2, np.float16)
    with pytest.raises(LayerError, match="is too large for float16, whose largest is 65504"):
        result(lambda x: ops.masked_fill(x, x > 0, value), x=x)
    assert np.isinf(result(lambda x: ops.where(x > 0, x, value), x=x)).all(), "as torch's where"
    assert "inf in float16" in caplog.text and "ops.where(x > 0, x, value)" in caplog.text
    assert np.isfinite(result(lambda x: ops.where(x > 0, x, value), x=x.astype(np.float32))).all()


def test_infinity_is_not_a_number_that_is_too_large() -> None:
    found = result(lambda x: x.masked_fill(x == 0, float("-inf")), x=np.zeros(2, np.float16))
    assert np.isneginf(found).all()


def test_rms_norm_over_two_axes_with_the_default_eps() -> None:
    x = np.random.default_rng(0).standard_normal((2, 5, 6)).astype(np.float32) * 1e-3
    found = result(lambda x: ops.rms_norm(x, (5, 6)), x=x)
    np.testing.assert_allclose(found, F.rms_norm(torch.from_numpy(x), (5, 6)), rtol=1e-5)
    with pytest.raises(LayerError, match=r"rms_norm over \[6\], its input ends in \[5\]"):
        result(lambda x: ops.rms_norm(x, 6), x=x[..., :5])


@pytest.mark.parametrize("given", [1, 4])
def test_an_axis_of_another_name_is_expanded_if_it_is_1_and_else_taken_as_it_is(given: int) -> None:
    inputs = {"x": trtnet.Input(("a", 3)), "y": trtnet.Input(("b", 3))}
    network = network_of(lambda x, y: ops.expand(x, (y.shape[0], 3)) + y * 0, inputs)
    x, y = np.arange(3.0 * given, dtype=np.float32).reshape(given, 3), np.zeros((4, 3), np.float32)
    np.testing.assert_array_equal(network.reference()(x, y), np.broadcast_to(x, (4, 3)))
    network.build({"a": (1, 4, 4), "b": (4, 4, 8)})
