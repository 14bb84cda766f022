"""Scales that float16 does not have, which TensorRT does not take in another dtype beside float16 weights."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.comparing import relative_l2

import trtnet
from trtnet import nn
from trtnet.checkpoint.quantized.tensor import QuantizedTensor
from trtnet.definition.quantization import Given, WeightScheme, parameter_of
from trtnet.support import dtypes

ROWS, COLUMNS, BLOCK = 32, 64, 16
INPUTS = {"x": trtnet.Input(("n", COLUMNS))}
KINDS = {"int4": (dtypes.int4, 4), "int8": (dtypes.int8, 8)}
"""By name: the dtype of values, and their bits."""


def weight(kind: str, zero_points: bool, columns: int, scale: float) -> QuantizedTensor:
    """Scales of rows 0, 1, ... are powers of ten apart from 1e-8 on, those of the others `scale`; one block is 0."""
    rng = np.random.default_rng(1)
    dtype, bits = KINDS[kind]
    codes = rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (ROWS, COLUMNS))
    scales = np.full((ROWS, COLUMNS // columns), scale) * rng.uniform(1, 2, (ROWS, COLUMNS // columns))
    scales[:6] *= (10.0 ** np.arange(-8, -2) / scale)[:, None]
    scales[9, -1], scales[10, -1] = 0, 1e-7
    zeros = rng.integers(-8, 8, scales.shape) if zero_points else None
    values = codes.astype(np.int8).astype(dtype.numpy)
    blocks = (1, columns if columns < COLUMNS else 0)
    return QuantizedTensor(values, scales.astype(np.float32), blocks, dtypes.float32, bits, -(2 ** (bits - 1)), zeros)


def network(form: QuantizedTensor, dtype: str, model: nn.Module, key: str) -> trtnet.DefinedNetwork:
    kind = form.values.dtype.name
    parameter = parameter_of(key, WeightScheme(kind, form.blocks[1] or "channel"), lambda: form, 2)
    floats = {key: form.dequantize("float32")}
    given = Given(parameters={key: parameter})
    return trtnet.define(model, INPUTS, floats, dtype=dtype, quantization=given)


@pytest.mark.parametrize("scale", [0.01, 1e-5])
@pytest.mark.parametrize(
    ("kind", "columns", "zero_points"),
    [("int4", BLOCK, False), ("int4", BLOCK, True), ("int4", COLUMNS, False), ("int8", BLOCK, False)],
)
def test_rows_of_scales_below_those_of_float16_are_multiplied_exactly(
    kind: str, columns: int, zero_points: bool, scale: float
) -> None:
    form = weight(kind, zero_points, columns, scale)
    found = network(form, "float16", nn.Linear(COLUMNS, ROWS, bias=False), "weight")
    x = (np.random.default_rng(2).standard_normal((64, COLUMNS)) * 1000).astype(np.float16)
    wanted = x.astype(np.float64) @ form.dequantize("float32").astype(np.float64).T
    y = found.reference()(x).astype(np.float64)
    normal = np.abs(wanted).max(0) > 1e-3  # results that float16 has
    assert normal.sum() >= ROWS - 2 and np.isfinite(y).all()
    for row in np.flatnonzero(normal):
        assert relative_l2(y[:, row], wanted[:, row]) < 3e-3
    assert found.build({"n": (1, 4, 8)}).plan.data


def test_rows_of_scales_above_those_of_float16_are_multiplied_exactly() -> None:
    form = weight("int4", True, BLOCK, 0.01)
    form.scale[20:] = 1e5
    found = network(form, "float16", nn.Linear(COLUMNS, ROWS, bias=False), "weight")
    x = (np.random.default_rng(2).standard_normal((8, COLUMNS)) * 1e-3).astype(np.float16)
    wanted = x.astype(np.float64) @ form.dequantize("float32").astype(np.float64).T
    assert relative_l2(found.reference()(x)[:, 20:], wanted[:, 20:]) < 3e-3


def test_a_product_with_the_whole_weight_has_these_rows_too() -> None:
    form = weight("int4", True, BLOCK, 0.01)

    class Squared(nn.Module):
        def __init__(self) -> None:
            self.weight = nn.Parameter((ROWS, COLUMNS))

        def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
            return self.weight @ x.mT

    found = network(form, "float16", Squared(), "weight")
    x = (np.random.default_rng(2).standard_normal((8, COLUMNS)) * 1000).astype(np.float16)
    wanted = form.dequantize("float32").astype(np.float64) @ x.astype(np.float64).T
    assert relative_l2(found.reference()(x)[6:], wanted[6:]) < 3e-3
    assert relative_l2(found.reference()(x)[5], wanted[5]) < 1e-2  # its weights are near the smallest of float16


def test_scales_that_float16_has_are_left_alone() -> None:
    form = weight("int4", True, BLOCK, 0.01)
    rounded = QuantizedTensor(
        form.values, form.scale.astype(np.float16), form.blocks, form.dtype, 4, -8, form.zero_point
    )
    layers = {
        name: network(each, "float16", nn.Linear(COLUMNS, ROWS, bias=False), "weight").trt.num_layers
        for name, each in {"denormal": form, "normal": rounded}.items()
    }
    assert layers["normal"] < layers["denormal"]
