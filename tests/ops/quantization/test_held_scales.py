"""The scales and the bias that a quantized convolution is given."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import trtnet
from trtnet.definition.quantization import NAMED, WeightScheme
from trtnet.ops.quantization import held_scales
from trtnet.support import backend
from trtnet.support.backend import trt


def convolution(scheme: str, dtype: str, bias: bool) -> trtnet.DefinedNetwork:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(8, 16, 3, bias=bias)).eval()
    found = NAMED[scheme]
    assert found is not None
    scaled = WeightScheme(found.dtype, found.block, inputs=found.inputs, input_scale=0.01)
    return trtnet.define(model, {"x": trtnet.Input((2, 8, 9, 9))}, dtype=dtype, quantization={"0.weight": scaled})


def layers(network: trtnet.DefinedNetwork, kind: str) -> list[trt.ILayer]:
    found = [network.trt.get_layer(index) for index in range(network.trt.num_layers)]
    return [layer for layer in found if layer.type == getattr(trt.LayerType, kind)]


def shapes(network: trtnet.DefinedNetwork) -> list[tuple[int, ...]]:
    """Those of the constants."""
    return [tuple(layer.get_output(0).shape) for layer in layers(network, "CONSTANT")]


def bias_size(network: trtnet.DefinedNetwork) -> int:
    (layer,) = layers(network, "CONVOLUTION")
    layer.__class__ = trt.IConvolutionLayer
    return int(layer.bias.size)


@pytest.fixture(autouse=True)
def rules_of_this_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_scales, "OF_CHANNELS", {backend.name(): ("float8_e4m3fn",)})
    monkeypatch.setattr(held_scales, "BIASED", {backend.name(): ("float32",)})


@pytest.mark.parametrize("dtype", ["float16", "float32", "bfloat16"])
@pytest.mark.parametrize("scheme", ["fp8", "fp8_channel"])
def test_a_float8_kernel_has_a_scale_for_each_channel(scheme: str, dtype: str) -> None:
    assert (16,) in shapes(convolution(scheme, dtype, bias=True))


def test_equal_scales_of_channels_give_what_one_scale_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).standard_normal((2, 8, 9, 9)).astype(np.float32)
    found = convolution("fp8", "float32", bias=False).reference()(x)
    monkeypatch.setattr(held_scales, "OF_CHANNELS", {})
    monkeypatch.setattr(held_scales, "BIASED", {})
    network = convolution("fp8", "float32", bias=False)
    assert (16,) not in shapes(network)
    assert np.array_equal(found, network.reference()(x))


@pytest.mark.parametrize(
    ("scheme", "dtype", "bias", "size"),
    [
        ("fp8", "float32", False, 16),
        ("fp8_channel", "float32", False, 16),
        ("fp8", "float16", False, 0),
        ("int8", "float32", False, 0),
        ("fp8", "float32", True, 16),
    ],
)
def test_a_float8_convolution_in_float32_has_a_bias(scheme: str, dtype: str, bias: bool, size: int) -> None:
    assert bias_size(convolution(scheme, dtype, bias)) == size


def test_a_batch_norm_still_goes_into_the_scales() -> None:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Conv2d(8, 16, 3, bias=False), nn.BatchNorm2d(16)).eval()
    norm = model[1]
    norm.running_mean.copy_(torch.randn(16))  # type: ignore[operator, union-attr]
    scheme = WeightScheme("float8_e4m3fn", "tensor", inputs="float8_e4m3fn", input_scale=0.01)
    network = trtnet.define(model, {"x": trtnet.Input((2, 8, 9, 9))}, quantization={"0.weight": scheme})
    assert not layers(network, "SCALE") and bias_size(network) == 16
    x = torch.randn(2, 8, 9, 9)
    found = torch.as_tensor(np.asarray(network.reference()(x.numpy())))
    assert (found - model(x)).norm() < 0.1 * model(x).norm()
