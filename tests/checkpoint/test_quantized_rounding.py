"""Float weights rounded to blocks whose scales are powers of two, at the ends of float32."""

from __future__ import annotations

import numpy as np
import pytest

import trtnet
from trtnet import nn
from trtnet.checkpoint.quantized.rounding import best, quantize
from trtnet.definition.quantization import Given, WeightScheme, parameter_of
from trtnet.support import dtypes

FLOAT8, FLOAT4 = dtypes.float8_e4m3fn, dtypes.float4_e2m1fn
LARGEST = {FLOAT8: 8, FLOAT4: 2}
"""The exponent of the largest power of two of a type."""


@pytest.mark.parametrize("rounding", [quantize, best])
@pytest.mark.parametrize("dtype", [FLOAT8, FLOAT4])
def test_powers_of_two_are_those_of_the_format_and_exact(dtype: dtypes.DType, rounding: object) -> None:
    """OCP Microscaling Formats 1.0, 6.3: the exponent of the largest magnitude less that of the type, from -127 on."""
    assert callable(rounding)
    powers = np.arange(-127 + LARGEST[dtype], 128)
    weight = np.zeros((len(powers), 32), np.float32)
    weight[:, 0], weight[:, 7] = np.ldexp(1.0, powers), np.ldexp(-0.5, powers)
    form = rounding(weight, dtype, (1, 32), True)
    np.testing.assert_array_equal(form.dequantize("float32"), weight)
    if rounding is quantize:
        np.testing.assert_array_equal(form.scale[:, 0].astype(np.float64), np.ldexp(1.0, powers - LARGEST[dtype]))


@pytest.mark.parametrize(("dtype", "smallest"), [(FLOAT8, 2.0**-136), (FLOAT4, 2.0**-128)])
def test_what_is_smaller_has_the_smallest_scale(dtype: dtypes.DType, smallest: float) -> None:
    weight = np.zeros((3, 32), np.float32)
    weight[1, :2], weight[2, 5] = (smallest, 3 * smallest), 2.0**-149
    for form in (quantize(weight, dtype, (1, 32), True), best(weight, dtype, (1, 32), True)):
        assert form.scale.astype(np.float64).tolist() == [[2.0**-127]] * 3
        weight[2, 5] = 0
        np.testing.assert_array_equal(form.dequantize("float32"), weight)


def test_the_exponent_of_a_number_right_below_a_power_of_two_is_the_lower_one() -> None:
    """The logarithm of float32 rounds it to that of the power."""
    below = np.nextafter(np.float32(1024), np.float32(0))
    weight = np.full((1, 32), below, np.float32)
    assert float(quantize(weight, FLOAT4, (1, 32), True).scale[0, 0]) == 2.0**7


@pytest.mark.parametrize("dtype", [FLOAT8, FLOAT4])
def test_the_largest_numbers_stay_finite(dtype: dtypes.DType) -> None:
    weight = np.full((1, 32), np.finfo(np.float32).max)
    for form in (quantize(weight, dtype, (1, 32), True), best(weight, dtype, (1, 32), True)):
        found = form.dequantize("float32")
        assert np.isfinite(found).all() and found.min() >= 0.7 * weight.max()


def test_a_network_computes_with_the_smallest_scale() -> None:
    weight = np.full((1, 32), 2.0**-121, np.float32)
    form = quantize(weight, FLOAT8, (1, 32), True)
    assert float(form.scale[0, 0]) == 2.0**-127
    parameter = parameter_of("weight", WeightScheme("float8_e4m3fn", 32, powers_of_two=True), lambda: form, 2)
    network = trtnet.define(
        nn.Linear(32, 1, bias=False), {"x": trtnet.Input(("n", 32))}, {"weight": weight},
        quantization=Given(parameters={"weight": parameter}),
    )  # fmt: skip
    x = np.full((2, 32), 2.0**30, np.float32)
    np.testing.assert_array_equal(network.reference()(x), np.full((2, 1), 2.0**-86, np.float32))
