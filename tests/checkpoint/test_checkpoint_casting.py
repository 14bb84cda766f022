"""A cast is direct, refuses what loses more than precision, and leaves its input alone."""

import ml_dtypes
import numpy as np
import pytest
import torch

from trtnet import checkpoint
from trtnet.support import dtypes
from trtnet.support.errors import WeightsError


def test_same_dtype_is_the_same_array():
    for dtype in dtypes.TABLE:
        array = np.zeros(3, dtype.numpy)
        assert checkpoint.cast(array, dtype, "a") is array


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float8_e4m3fn", "float8_e5m2", "float64"])
def test_rounding_is_torchs(name):
    values = np.random.default_rng(0).normal(0, 3, 10_000).astype(np.float32)
    cast = checkpoint.cast(values, name, "a")
    assert dtypes.get(cast.dtype).name == name
    wanted = torch.from_numpy(values).to(getattr(torch, name)).double().numpy()
    np.testing.assert_array_equal(cast.astype(np.float64), wanted)


@pytest.mark.parametrize("target", ["float32", "float64", "bfloat16"])
def test_from_bfloat16(target):
    array = np.array([3e38, -1.5, 1e-40], ml_dtypes.bfloat16)
    np.testing.assert_array_equal(checkpoint.cast(array, target, "a").astype(np.float64), array.astype(np.float64))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("target", ["float16", "bfloat16", "float8_e5m2"])
def test_nan_and_inf_pass_through(target):
    array = np.array([np.nan, np.inf, -np.inf, 1], np.float32)
    np.testing.assert_array_equal(checkpoint.cast(array, target, "a").astype(np.float32), array)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("values", "source", "target", "words"),
    [
        ([1, 7e4, -1e5, np.inf], np.float32, "float16", ["2 of 4", "100000", "65504", "bfloat16 or float32"]),
        ([3.4e38], np.float32, "bfloat16", ["3.4e+38", "Keep this weight in float32."]),
        ([1e300], np.float64, "float32", ["1e+300", "Rescale"]),
        ([500.0], np.float32, "float8_e4m3fn", ["500", "448", "bfloat16 or float32"]),
        ([1e38], ml_dtypes.bfloat16, "float16", ["float16", "bfloat16 or float32"]),
    ],
)
def test_overflow(values, source, target, words):
    with pytest.raises(WeightsError) as caught:
        checkpoint.cast(np.array(values, source), target, "layer.weight")
    for word in ["layer.weight", target, *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("float32", "int32"), ("int32", "float32"), ("int64", "float16"), ("bool", "float32"),
        ("float32", "bool"), ("int64", "int32"), ("int32", "int8"), ("int8", "uint8"), ("uint8", "int8"),
        ("bool", "int32"), ("int8", "bool"), ("float32", "int4"), ("float32", "float4_e2m1fn"),
    ],
)  # fmt: skip
def test_refused(source, target):
    with pytest.raises(WeightsError, match=r"a\.b") as caught:
        checkpoint.cast(np.zeros(2, dtypes.get(source).numpy), target, "a.b")
    assert target in str(caught.value)


@pytest.mark.parametrize(
    ("source", "target"), [("int8", "int32"), ("int32", "int64"), ("uint8", "int16"), ("int4", "int8")]
)
def test_wider_integers(source, target):
    array = np.array([0, 1, 7], np.int8).astype(dtypes.get(source).numpy)
    cast = checkpoint.cast(array, target, "a")
    assert cast.tolist() == [0, 1, 7]
    assert dtypes.get(cast.dtype).name == target


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("source", ["float16", "float32", "float64", "bfloat16"])
def test_scales_are_powers_of_two(source):
    wanted = np.array([0.25, 1, 8], dtypes.get(source).numpy)
    assert checkpoint.cast(wanted, "float8_e8m0fnu", "a").astype(np.float32).tolist() == [0.25, 1, 8]
    for values, found in (([-1, 0, 3], "2 of 3 values do not fit float8_e8m0fnu, the first -1"), ([1, 0], "1 of 2")):
        with pytest.raises(WeightsError, match=rf"a: {found}.*it only has positive powers of two"):
            checkpoint.cast(np.array(values, dtypes.get(source).numpy), "float8_e8m0fnu", "a")


def test_unknown_source_dtype():
    with pytest.raises(WeightsError, match="complex64"):
        checkpoint.cast(np.ones(1, np.complex64), "float32", "a")


def test_scalars_empty_and_swapped():
    assert checkpoint.cast(np.float32(2).reshape(()), "float16", "a").shape == ()
    assert checkpoint.cast(np.zeros((0, 3), np.float32), "float16", "a").shape == (0, 3)
    assert checkpoint.cast(np.ones(2, ">f4"), "float32", "a").dtype == np.dtype(np.float32)
    assert checkpoint.cast(np.ones(2, ">i4"), "int32", "a").tolist() == [1, 1]
