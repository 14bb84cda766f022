"""Images of convolutions that are results of linear layers: which are found, and what is made of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.comparing import relative_l2
from helpers.ops.made import layers

import trtnet
from trtnet.ops.formulations import FORMS
from trtnet.support.errors import ModelError

FORM = {"linear_image": "convolution"}


class Perceptron(torch.nn.Module):
    """PVTv2's first half. image: makes an image [batch, 8, 4, 4] of the linear layer's result [batch, 16, 8]."""

    def __init__(self, image: Any) -> None:
        super().__init__()
        self.fc1 = torch.nn.Linear(6, 8)
        self.dwconv = torch.nn.Conv2d(8, 8, 3, 1, 1, groups=8)
        self.image = image

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.gelu(self.dwconv(self.image(self.fc1(x))))


FOUND = {
    "transposed": lambda y: y.transpose(1, 2).view(-1, 8, 4, 4),
    "reshaped": lambda y: y.transpose(1, 2).reshape(-1, 8, 4, 4),
    "channels last": lambda y: y.view(-1, 4, 4, 8).permute(0, 3, 1, 2),
    "row by row": lambda y: y.unflatten(1, (4, 4)).transpose(2, 3).transpose(1, 2),
    "with a dropout": lambda y: F.dropout(y, 0.1, False).transpose(1, 2).view(-1, 8, 4, 4),
}
OTHERS = {
    "columns first": lambda y: y.view(-1, 4, 4, 8).permute(0, 3, 2, 1),
    "channels elsewhere": lambda y: y.view(-1, 8, 4, 4),
    "half of the features twice": lambda y: torch.cat([y[..., :4], y[..., :4]], -1).transpose(1, 2).view(-1, 8, 4, 4),
    "with a ReLU": lambda y: F.relu(y).transpose(1, 2).view(-1, 8, 4, 4),
    "written to": lambda y: y.mul_(2).transpose(1, 2).view(-1, 8, 4, 4),
}


def define(image: Any, forms: Any = FORM, sizes: tuple[Any, ...] = ("n", 16, 6), **options: Any) -> tuple[Any, Any]:
    torch.manual_seed(0)
    model = Perceptron(image).eval()
    return model, trtnet.define(model, {"x": trtnet.Input(sizes)}, forms=forms, **options)


def kinds(network: Any) -> list[str]:
    """Of the layers that the outputs need."""
    return [node.kind for node in layers(network)]


@pytest.mark.parametrize("bias", FORMS["bias"])
@pytest.mark.parametrize("name", FOUND)
def test_a_linear_layer_is_a_convolution_that_adds_its_bias(name: str, bias: str) -> None:
    model, network = define(FOUND[name], FORM | {"bias": bias})
    made = kinds(network)
    assert made.count("CONVOLUTION") == 2 and "MATRIX_MULTIPLY" not in made and "ELEMENTWISE" not in made
    assert network.forms.by["dwconv"]["linear_image"] == "user"
    x = torch.randn(3, 16, 6)
    assert relative_l2(network.reference()(x), model(x).detach()) <= 1e-6
    assert "MATRIX_MULTIPLY" in kinds(define(FOUND[name], {"linear_image": "product"})[1])


@pytest.mark.parametrize("name", OTHERS)
def test_other_images_are_no_linear_layer(name: str) -> None:
    model, network = define(OTHERS[name], {})
    assert "linear_image" not in network.forms.chosen["dwconv"]
    x = torch.randn(3, 16, 6)
    assert relative_l2(network.reference()(x), model(x).detach()) <= 1e-6


def test_pixels_of_unknown_number_are_products() -> None:
    image = lambda y: y.view(-1, 4, y.shape[1] // 4, 8).permute(0, 3, 1, 2)  # noqa: E731
    _, network = define(image, {}, (2, "s", 6))
    assert "linear_image" not in network.forms.chosen["dwconv"]


def test_what_else_reads_the_layer_gets_its_own_result() -> None:
    class Both(Perceptron):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.fc1(x)
            return self.dwconv(self.image(y)) + y.mean(1)[:, :, None, None]

    torch.manual_seed(0)
    model = Both(FOUND["transposed"]).eval()
    network = trtnet.define(model, {"x": trtnet.Input((2, 16, 6))}, forms=FORM)
    assert "MATRIX_MULTIPLY" in kinds(network) and kinds(network).count("CONVOLUTION") == 2
    x = torch.randn(2, 16, 6)
    assert relative_l2(network.reference()(x), model(x).detach()) <= 1e-6


def test_bisect_finds_the_layer_that_only_a_convolution_computes() -> None:
    model, network = define(FOUND["transposed"])
    found = trtnet.bisect(
        network, model, {"x": np.random.default_rng(0).standard_normal((2, 16, 6)).astype(np.float32)}
    )
    assert {row.path for row in found.rows} >= {"fc1", "dwconv"} and found.passed


@pytest.mark.parametrize("sizes", [(2, 16, 8), ("n", 16, 8)], ids=["static", "dynamic"])
def test_patches_of_a_sequence_are_cut_out_of_the_sequence(sizes: tuple[Any, ...]) -> None:
    """PVT's attention: no layer makes the image with its channels first."""

    class Shrunk(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.sr = torch.nn.LayerNorm(8), torch.nn.Conv2d(8, 5, 2, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.norm(x)
            return self.sr(y.permute(0, 2, 1).reshape(x.shape[0], 8, 4, 4)).flatten(2).permute(0, 2, 1) + y.mean()

    torch.manual_seed(0)
    model = Shrunk().eval()
    made = {}
    for form in ("product", "channels_last"):
        network = trtnet.define(model, {"x": trtnet.Input(sizes)}, forms={"patches": form})
        nodes = layers(network)
        made[form] = any(tuple(x.shape)[1:] == (8, 4, 4) for node in nodes for x in node.outputs)
        x = torch.randn(2, 16, 8)
        assert relative_l2(network.reference()(x), model(x).detach()) <= 1e-6
    assert made == {"product": True, "channels_last": False}


def test_weights_are_folded() -> None:
    _, network = define(FOUND["transposed"])
    assert {"fc1.weight", "fc1.bias"} <= network.folded


def test_errors_say_where_a_form_applies() -> None:
    with pytest.raises(ModelError, match="linear_image"):
        define(OTHERS["with a ReLU"], {"linear_image": {"fc1": "convolution"}})
