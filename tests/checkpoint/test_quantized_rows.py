"""Rules that merge and split rows of quantized weights keep their values and scales."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import trtnet
from trtnet import nn
from trtnet.checkpoint.quantized.quantization import quantization_of
from trtnet.checkpoint.quantized.rounding import quantize
from trtnet.checkpoint.rules.lazy_tensors import Converted, Lazy
from trtnet.support import dtypes
from trtnet.support.errors import CheckpointError

RNG = np.random.default_rng(0)
MERGE = "[[rules]]\nmerge = ['^q\\.weight$', 'k.weight']\nto = 'qk.weight'"


def file(scales: str, rows: int = 4, **inputs: float) -> dict[str, Any]:
    """Two weights [rows, 8] of int8, with one scale or one a row, and scales of their inputs."""
    made: dict[str, Any] = {}
    for name in "qk":
        form = quantize(
            RNG.standard_normal((rows, 8)).astype(np.float32), dtypes.int8, (1 if scales == "rows" else 0, 0)
        )
        made |= {f"{name}.weight": form.values, f"{name}.weight_scale": form.scale}
        made |= {f"{name}.input_scale": np.array([inputs[name]], np.float32)} if name in inputs else {}
    return made


def lazy(tensors: dict[str, Any], text: str, key: str) -> Lazy:
    found = quantization_of(tensors)
    assert found is not None
    made = trtnet.weights.parse_rules(text, "rows").apply(found.dequantized())
    assert isinstance(made, Converted)
    return made.lazy(key)


@pytest.mark.parametrize("scales", ["rows", "one"])
def test_rows_that_a_rule_merges_stay_quantized(scales: str) -> None:
    tensors = file(scales, q=0.5, k=0.5)
    merged = lazy(tensors, MERGE, "qk.weight")
    assert merged.quantized is not None
    form = merged.quantized.read()
    np.testing.assert_array_equal(form.values, np.concatenate([tensors["q.weight"], tensors["k.weight"]]))
    np.testing.assert_array_equal(form.dequantize("float32"), merged.read())
    assert form.scale.shape == (8, 1)
    assert merged.quantized.input_scale is not None
    assert merged.quantized.input_scale() == 0.5


def test_they_are_products_of_a_network() -> None:
    class Net(nn.Module):
        inputs = {"x": trtnet.Input(("n", 8))}

        def __init__(self) -> None:
            self.qk = nn.Linear(8, 8, bias=False)

        def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
            return self.qk(x)

    found = quantization_of(file("one", q=0.05, k=0.05))
    assert found is not None
    weights = trtnet.weights.parse_rules(MERGE, "rows").apply(found.dequantized())
    network = trtnet.define(Net(), weights=weights, quantization="checkpoint")
    assert network.describe().quantization == {"qk.weight": "int8, a scale a channel, inputs in int8"}
    x = RNG.standard_normal((3, 8)).astype(np.float32)
    rounded = np.clip(np.rint(x / np.float32(0.05)), -128, 127) * np.float32(0.05)
    np.testing.assert_allclose(network.reference()(x), rounded @ weights["qk.weight"].T, rtol=1e-5, atol=1e-5)


def test_rows_that_a_rule_splits_stay_quantized() -> None:
    tensors = file("rows", rows=6)
    text = "[[rules]]\nsplit = '^q\\.weight$'\ninto = ['a.weight', 'b.weight', 'c.weight']"
    second = lazy(tensors, text, "b.weight")
    assert second.quantized is not None
    form = second.quantized.read()
    np.testing.assert_array_equal(form.values, tensors["q.weight"][2:4])
    np.testing.assert_array_equal(form.scale, tensors["q.weight_scale"][2:4])
    np.testing.assert_array_equal(form.dequantize("float32"), second.read())


def test_inputs_of_different_scales_are_an_error() -> None:
    merged = lazy(file("rows", q=0.5, k=0.25), MERGE, "qk.weight")
    assert merged.quantized is not None
    assert merged.quantized.input_scale is not None
    with pytest.raises(CheckpointError, match=r"their inputs have the scales 0\.25, 0\.5\. Leave it in floats"):
        merged.quantized.input_scale()


def test_weights_that_differ_are_floats() -> None:
    tensors = file("rows", q=0.5)  # one with quantized inputs, one without a scale for them
    merged = lazy(tensors, MERGE, "qk.weight")
    assert merged.quantized is None
    assert merged.quantized_keys == ("q.weight", "k.weight")
    columns = lazy(file("rows"), MERGE + "\ndim = 1", "qk.weight")
    assert columns.quantized is None
