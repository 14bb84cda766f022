"""Modules that were trained quantization-aware, against torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.ao import quantization

import trtnet
from trtnet.support.errors import ModelError


class Fake(nn.Module):
    """Powers of two as scales, of which the inputs are multiples: none is on an edge of rounding."""

    def __init__(self, zero: int, low: int, high: int, axis: int | None = None) -> None:
        super().__init__()
        self.zero, self.low, self.high, self.axis = zero, low, high, axis
        self.register_buffer("scale", torch.tensor([0.125, 0.25, 0.5]))
        self.register_buffer("zeros", torch.full((3,), zero, dtype=torch.int32))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.axis is None:
            return torch.fake_quantize_per_tensor_affine(x, 0.125, self.zero, self.low, self.high)
        return torch.fake_quantize_per_channel_affine(x, self.scale, self.zeros, self.axis, self.low, self.high)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("axis", [None, 1])
@pytest.mark.parametrize(
    ("zero", "low", "high", "is_int8"),
    [(0, -128, 127, True), (0, -127, 127, True), (62, 0, 127, True), (128, 0, 255, True), (7, 0, 255, False)],
)
def test_ranges(zero: int, low: int, high: int, is_int8: bool, axis: int | None, dtype: str) -> None:
    module = Fake(zero, low, high, axis).eval()
    x = torch.arange(-150, 150).reshape(2, 3, 50) * 0.5
    network = trtnet.define(module, {"x": torch.zeros(1, 3, 50)}, dims={"x": {0: "batch"}}, dtype=dtype)
    torch.testing.assert_close(torch.tensor(network.reference()(x.numpy())).float(), module(x), rtol=0, atol=1e-6)
    kinds = {network.trt.get_layer(i).type.name for i in range(network.trt.num_layers)}
    assert ("QUANTIZE" in kinds) == is_int8


def prepared(backend: str = "fbgemm", observing: bool = False) -> Any:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(128, 5)]
    model = nn.Sequential(quantization.QuantStub(), *layers).train()
    model = quantization.fuse_modules_qat(model, [["1", "2", "3"]])
    model.qconfig = quantization.get_default_qat_qconfig(backend)
    quantization.prepare_qat(model, inplace=True)
    for _ in range(2):
        model(torch.randn(4, 3, 6, 6))
    return (model if observing else model.apply(quantization.disable_observer)).eval()


def kinds_of(network: trtnet.DefinedNetwork) -> list[str]:
    return [network.trt.get_layer(i).type.name for i in range(network.trt.num_layers)]


@pytest.mark.parametrize("backend", ["fbgemm", "qnnpack"])
def test_a_prepared_module_equals_torch_and_is_int8(backend: str) -> None:
    module = prepared(backend)
    network = trtnet.define(module, {"x": torch.zeros(1, 3, 6, 6)}, dims={"x": {0: "batch"}})
    x = torch.randn(2, 3, 6, 6)
    with torch.no_grad():
        expected = module(x)
    step = float(module[5].activation_post_process.scale)  # a value on the edge of rounding may be one step off
    found = torch.tensor(network.reference()(x.numpy()))
    torch.testing.assert_close(found, expected, rtol=0, atol=1.01 * step)
    layers = [network.trt.get_layer(i) for i in range(network.trt.num_layers)]
    constants = [layer.get_output(0) for layer in layers if layer.type.name == "CONSTANT"]
    weights = {tuple(each.shape) for each in constants if each.dtype.name == "INT8"}
    assert weights == {(8, 3, 3, 3), (5, 128)}, "both products have weights in int8"
    if backend == "qnnpack":  # its activations are 0 .. 255 with any zero point, which is not int8
        return
    assert kinds_of(network).count("QUANTIZE") == 3
    assert len(network.build({"batch": (1, 2, 4)}).plan.data) > 1000


class Changed(nn.Module):
    """Its quantized weight is changed after it was quantized."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.arange(12.0).reshape(3, 4) / 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = torch.fake_quantize_per_tensor_affine(self.weight, 0.125, 0, -128, 127)
        weight[0] = 0.3
        return torch.nn.functional.linear(x, weight)


def test_a_weight_that_is_changed_after_quantization_is_no_int8() -> None:
    module, x = Changed().eval(), torch.randn(2, 4)
    network = trtnet.define(module, {"x": x})
    torch.testing.assert_close(network.reference()(x), module(x).detach())
    assert "DEQUANTIZE" not in kinds_of(network)


def test_observers_that_are_on_are_an_error() -> None:
    with pytest.raises(ModelError, match="disable_observer"):
        trtnet.define(prepared(observing=True), {"x": torch.zeros(1, 3, 6, 6)})
