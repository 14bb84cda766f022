"""The order of operands that TensorRT-RTX's general kernels compute right (tests/gpu/test_gpu_shortcuts.py)."""

from __future__ import annotations

import pytest
import torch
from helpers.comparing import relative_l2
from helpers.ops.shortcuts import CONVOLUTIONS, EXPRESSIONS, Block, Shortcuts

import trtnet
from trtnet import Input
from trtnet.support import backend
from trtnet.support.backend import trt

DYNAMIC = {"x": Input(("batch", 32, "height", 6))}
STATIC = {"x": Input((2, 32, 5, 6))}
pytestmark = pytest.mark.skipif(backend.name() != "tensorrt_rtx", reason="only TensorRT-RTX needs the order")


def operands(
    name: str, declared: dict[str, Input], convolution: str = "3x3", dtype: str = "float16"
) -> list[list[str]]:
    """What the elementwise layers of a block read."""
    model = Block(convolution, "relu", EXPRESSIONS[name]).eval()
    network = trtnet.define(model, declared, dtype=dtype).trt
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    return [[layer.get_input(i).name for i in (0, 1)] for layer in layers if layer.type == trt.LayerType.ELEMENTWISE]


@pytest.mark.parametrize("name", ["x + a", "a + x", "x * a", "maximum(x, a)"])
def test_what_a_convolution_computes_is_the_first_operand(name: str) -> None:
    assert operands(name, DYNAMIC) == [["activation/relu", "x"]]


@pytest.mark.parametrize("name", ["x + a", "x * a", "x - a"])
def test_operands_of_fixed_sizes_keep_their_order(name: str) -> None:
    assert operands(name, STATIC) == [["x", "activation/relu"]]


def test_a_difference_is_computed_apart_from_the_convolution() -> None:
    assert operands("x - a", DYNAMIC) == [["reshape", "reshape_1"]]


@pytest.mark.parametrize(
    ("dtype", "read"), [("float16", ["reshape", "reshape_1"]), ("float32", ["activation/relu", "x"])]
)
def test_sums_beside_groups_in_16_bits_are_computed_apart(dtype: str, read: list[str]) -> None:
    assert operands("x + a", DYNAMIC, "depthwise", dtype) == [read]


def test_an_activation_of_several_layers_is_not_taken_apart() -> None:
    network = trtnet.define(
        torch.nn.Sequential(CONVOLUTIONS["depthwise"](), torch.nn.SiLU()).eval(), DYNAMIC, dtype="float16"
    )
    kinds = [network.trt.get_layer(index).type for index in range(network.trt.num_layers)]
    assert trt.LayerType.ELEMENTWISE in kinds and trt.LayerType.SHUFFLE not in kinds


@pytest.mark.parametrize("convolution", CONVOLUTIONS)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("float16", 3e-3)])
def test_the_results_are_those_of_torch(convolution: str, dtype: str, tolerance: float) -> None:
    torch.manual_seed(0)
    model = Shortcuts(convolution, "silu").eval()
    network = trtnet.define(model, {"x": Input(("batch", 3, "height", 7))}, dtype=dtype)
    x = torch.randn(2, 3, 5, 7)
    with torch.inference_mode():
        expected = model(x)
    found = network.reference()(x.to(getattr(torch, dtype)))
    assert max(relative_l2(found[name].float(), y) for name, y in expected.items()) <= tolerance
