"""Operands of sums, concatenations and norms in 8 bits: by hand in torch, their layers and names, and wrong use."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import torch
from helpers.comparing import relative_l2
from helpers.definition.convolutional_networks import (
    INPUTS,
    ConvNeXt,
    Inception,
    ResNet,
    data,
    fake,
    made,
    quantized_tensor,
    scales,
)
from helpers.definition.quantized_networks import Convolutions, convolution_weights

import trtnet
from trtnet import nn, ops
from trtnet.builder.quantization_support import check_quantization
from trtnet.definition.again import unquantized
from trtnet.definition.quantization import Watch
from trtnet.support.errors import BuildError, ModelError

X = torch.from_numpy(data()["x"])
F = torch.nn.functional
IMAGE = {"x": trtnet.Input(("n", 16, 6, 6))}


def activation(scale: float, kind: str = "int8") -> dict[str, Any]:
    return {"scheme": f"{kind}_activation", "scale": scale}


def test_the_branch_of_a_sum_that_the_convolution_does_not_make_is_quantized() -> None:
    weights = convolution_weights(16)
    x = np.random.default_rng(1).standard_normal((2, 16, 6, 6)).astype(np.float32)
    network = trtnet.define(Convolutions(16), IMAGE, weights, quantization={"add": activation(0.05)})
    a, b, c, d = (torch.from_numpy(w) for w in weights.values())
    wanted = F.relu(
        F.conv2d(F.relu(F.conv2d(torch.from_numpy(x), a, b, padding=1)), c, d) + fake(torch.from_numpy(x), 0.05)
    )
    assert relative_l2(network.reference()(x), wanted.numpy()) < 1e-5
    floats = unquantized(network)
    assert floats is not None and relative_l2(floats.reference()(x), wanted.numpy()) > 2e-3
    assert network.describe().quantization == {"add": "sum in int8"}
    assert network.quantized.dtypes == network.quantized.dtypes_in("") == {"int8"}
    assert network.quantized.dtypes_in("conv1") == set()


def test_a_residual_network_of_torch_quantizes_what_is_added_in_place() -> None:
    """``out += identity``: of the block with a shortcut the shortcut's convolution, else what comes into the block."""
    model = made(ResNet())
    said = {"layer1.add": activation(0.05), "layer2.add": activation(0.08)}
    network = trtnet.define(model, INPUTS, quantization=said)
    found = scales(network)
    assert found == pytest.approx({"layer1/quantize": 0.05, "layer2/quantize": 0.08})
    assert quantized_tensor(network, "layer1/quantize") == "relu/relu"
    assert quantized_tensor(network, "layer2/quantize") == "layer2.downsample.0/convolution"
    layer1, layer2 = model.layer1, model.layer2
    with torch.no_grad():
        x = F.relu(model.bn1(model.conv1(X)))
        y = layer1.bn2(layer1.conv2(F.relu(layer1.bn1(layer1.conv1(x)))))
        x = F.relu(y + fake(x, 0.05))
        y = layer2.bn2(layer2.conv2(F.relu(layer2.bn1(layer2.conv1(x)))))
        wanted = model.fc(F.relu(y + fake(layer2.downsample(x), 0.08)).mean((2, 3)))
    assert relative_l2(network.reference()(X.numpy()), wanted.numpy()) < 3e-4


def test_the_parts_of_a_concatenation_have_one_scale() -> None:
    model = made(Inception())
    network = trtnet.define(model, INPUTS, quantization={"cat": activation(0.12)})
    assert [*scales(network).values()] == pytest.approx([0.12, 0.12])
    with torch.no_grad():
        parts = F.relu(model.branch1(X)), F.relu(model.branch2(X)) * 3
        joined = torch.cat([fake(each, 0.12) for each in parts], 1)
        wanted = model.fc(F.relu(model.conv(joined)).mean((2, 3)))
    assert relative_l2(network.reference()(X.numpy()), wanted.numpy()) < 3e-4


@pytest.mark.parametrize("form", ["layer", "decomposed"])
def test_the_input_of_a_norm_behind_a_convolution_is_quantized_in_each_form(form: str) -> None:
    model = made(ConvNeXt())
    network = trtnet.define(model, INPUTS, quantization={"norm": activation(0.06)}, forms={"layer_norm": form})
    assert scales(network) == pytest.approx({"norm/quantize": 0.06})
    with torch.no_grad():
        x = model.stem(X)
        y = model.norm(fake(model.dwconv(x), 0.06).permute(0, 2, 3, 1))
        wanted = x + model.down(F.gelu(model.up(y))).permute(0, 3, 1, 2)
    assert relative_l2(network.reference()(X.numpy()), wanted.numpy()) < 3e-4


class Branches(nn.Module):
    """Sums and concatenations that are fused, and others."""

    def __init__(self) -> None:
        self.a, self.b, self.c, self.norm = (*(nn.Conv2d(16, 16, 1) for _ in range(3)), nn.LayerNorm(6))

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        y = self.a(x) + x
        y = y + self.b(y)
        read = self.c(y)
        y = ops.relu(read) + read + 1  # what else reads the convolution
        y = y + y  # no convolution makes either
        y = y * ops.reshape(self.norm(y), y.shape)  # nor this
        scaled = self.a(x) + ops.mean(x, (2, 3), keepdim=True)  # which is broadcast
        y = ops.cat([self.b(y), y, scaled], 1)
        return ops.cat([y[:, :16], ops.relu(self.c(x))], 1) + ops.cat([x, x], 1)


BRANCHES = {
    f"{name}.{part}": np.random.default_rng(i).standard_normal(shape).astype(np.float32) / 4
    for i, name in enumerate("abc")
    for part, shape in (("weight", (16, 16, 1, 1)), ("bias", (16,)))
} | {"norm.weight": np.ones(6, np.float32), "norm.bias": np.zeros(6, np.float32)}


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("forms", [{}, {"pointwise": "product"}], ids=["layers", "products"])
def test_only_what_is_fused_has_a_name_whatever_the_layers_are(forms: dict[str, str], dtype: str) -> None:
    network = trtnet.define(Branches(), IMAGE, BRANCHES, quantization=Watch(), forms=forms, dtype=dtype)
    assert [*network.quantized.operations] == ["add", "add_1", "cat", "cat_1"]


def test_one_tensor_with_one_scale_is_quantized_once() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            self.a, self.b = nn.Conv2d(16, 16, 1), nn.Conv2d(16, 16, 1)

        def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
            return self.b(self.a(x) + x) + x

    weights = {key: BRANCHES[key] for key in BRANCHES if key[0] in "ab"}
    counts = {}
    for second in (0.05, 0.06):
        said = {"add": activation(0.05), "add_1": activation(second)}
        counts[second] = len(scales(trtnet.define(Twice(), IMAGE, weights, quantization=said)))
    assert counts == {0.05: 1, 0.06: 2}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"layer1.sum": activation(1)}, r"'layer1\.sum' matches no sum, concatenation or layer norm after"
         r" a convolution; the nearest are .*layer1\.add"),
        ({"layer1.add": "int8_activation"}, r"layer1\.add quantizes its operands to int8, and there is no scale"),
        ({"layer1.add": activation(-1)}, "scale is above 0, found -1"),
        ({"layer1.add": activation(float("inf"))}, "scale is above 0, found inf"),
        ({"layer1.add": {"scheme": "int8_activation", "scale": 1, "dtype": "int4"}}, "dtype is one of int8"),
        ({"layer1.add": {"scheme": "int8_activation", "scales": 1}}, "has 'scales'; a scheme has scheme, dtype, scale"),
    ],
)  # fmt: skip
def test_what_is_no_activation_is_an_error(said: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        trtnet.define(made(ResNet()), INPUTS, quantization=said)


def test_float8_is_refused_for_old_gpus(caplog: pytest.LogCaptureFixture) -> None:
    said = {"layer*.add": activation(0.05, "fp8")}
    network = trtnet.define(made(ResNet()), INPUTS, quantization=said)
    assert network.describe().quantization["layer1.add"] == "sum in float8_e4m3fn"
    with pytest.raises(BuildError, match="2 activations are in float8_e4m3fn, which GPUs since Ada have"):
        check_quantization(network.quantized, ["8.6"])
    with caplog.at_level(logging.WARNING):
        check_quantization(network.quantized, [])
    assert "2 activations are in float8_e4m3fn" in caplog.text
