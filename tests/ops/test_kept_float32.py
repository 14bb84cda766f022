"""Float32 layers with constants between casts: their constants are float32 in the plan, too."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from helpers.ops.islands import ALONE, BIAS, KERNEL, LARGE, MATRIX, SHAPE, WIDTH, Island, defined, inputs

import trtnet
from trtnet import ops
from trtnet.graph.layers.read import read

NOT_ALONE: dict[str, Callable[[Any], Any]] = {
    "an activation behind": lambda x: ops.relu(ops.conv2d(x, KERNEL, BIAS)),
    "an activation before": lambda x: ops.conv2d(ops.exp(x), KERNEL, BIAS),
    "no constant": lambda x: ops.matmul(x, x.mT),
}


def sums(network: Any) -> list[str]:
    """The layers that keep float32 as it is."""
    return [node.layer.name for node in read(network.trt) if "minus_zero" in node.layer.name]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", ALONE)
def test_an_engine_has_the_constants_in_float32(name: str, dtype: str) -> None:
    network = defined(ALONE[name], dtype)
    assert len(sums(network)) == 1
    assert LARGE.tobytes() in network.build().plan.data


@pytest.mark.parametrize("name", ALONE)
def test_no_number_changes(name: str) -> None:
    found = defined(ALONE[name], "float16").reference()(inputs("float16"))
    x = inputs("float16").astype(np.float32)
    expected = trtnet.define(Part(ALONE[name]), {"x": trtnet.Input(x.shape, "float32")}, {}).reference()(x)
    np.testing.assert_array_equal(found, expected.astype(np.float16))


@pytest.mark.parametrize("name", NOT_ALONE)
def test_what_tensorrt_computes_in_float32_stays_as_it_is(name: str) -> None:
    assert not sums(defined(NOT_ALONE[name], "float16"))


IN_PARTS: dict[str, Callable[[Any], Any]] = {
    "loop": lambda x: ops.for_loop(1, lambda i, y: (island(y),), (x[:, :, 0],))[0],
    "branch": lambda x: ops.cond(ops.sum(x * x) > 0, island, lambda y: y, (x[:, :, 0],)),
}


def island(y: Any) -> Any:
    return ops.cast(ops.matmul(MATRIX, ops.cast(y, "float32")), y.dtype)


class Part(Island):
    def forward(self, x: Any) -> Any:
        return self.function(x)


@pytest.mark.parametrize("name", IN_PARTS)
def test_in_a_loop_and_a_branch(name: str) -> None:
    network = trtnet.define(Part(IN_PARTS[name]), {"x": trtnet.Input(SHAPE, "float16")}, {}, dtype="float16")
    assert len(sums(network)) == 1
    assert LARGE.tobytes() in network.build().plan.data
    x = inputs("float16")
    expected = (MATRIX @ x[:, :, 0].astype(np.float32)).astype(np.float16)
    np.testing.assert_allclose(network.reference()(x), expected, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize(("form", "accumulation"), [("native", b"0"), ("float32", b"2")])
def test_products_of_float16_are_summed_in_float32_without_them(form: str, accumulation: bytes) -> None:
    model = torch.nn.Sequential(
        torch.nn.LayerNorm(64), torch.nn.Linear(64, 128), torch.nn.GELU(), torch.nn.Linear(128, 64, bias=False)
    ).eval()  # fmt: skip
    forms = {"accumulation": form}
    network = trtnet.define(model, {"x": trtnet.Input((4, 50, 64))}, dtype="float16", forms=forms)
    assert not sums(network)
    assert re.findall(rb"accumulation_type=(\d)", network.build().plan.data) == [accumulation] * 2


class OfRows(torch.nn.Module):
    """A convolution along the rows of [batch, rows, features]."""

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.conv = kind(WIDTH, 4, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x.transpose(1, 2)).transpose(1, 2)


@pytest.mark.parametrize("rows", [1, 5])
@pytest.mark.parametrize("kind", [torch.nn.Conv1d, torch.nn.ConvTranspose1d])
def test_a_convolution_of_one_axis_is_built(kind: Any, rows: int) -> None:
    dtype = {"": "float16", "conv": "float32"}
    network = trtnet.define(OfRows(kind).eval(), {"x": trtnet.Input(("n", rows, WIDTH))}, dtype=dtype)
    assert sums(network) == ["conv/minus_zero"]
    assert network.build({"n": (1, 2, 4)}).plan.data


def test_a_float32_module_of_a_float16_model_is_of_float32() -> None:
    model = torch.nn.Sequential(
        torch.nn.Linear(8, WIDTH), torch.nn.Linear(WIDTH, 4, bias=False), torch.nn.Tanh()
    ).eval()
    with torch.no_grad():
        model[1].weight[0, 0] = float(LARGE)
    network = trtnet.define(model, {"x": trtnet.Input(("n", 8))}, dtype={"": "float16", "1": "float32"})
    assert sums(network) == ["1/minus_zero"]
    assert LARGE.tobytes() in network.build({"n": 4}).plan.data
