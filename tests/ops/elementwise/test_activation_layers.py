"""Layers of one element each, as TensorRT-RTX puts them on convolutions."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers.comparing import relative_l2
from helpers.plan_kernels import activations
from torch import nn

import trtnet
from trtnet.graph.layers.read import read
from trtnet.support import backend

IMAGE = (2, 4, 8, 8)


def defined(*layers: nn.Module, dtype: str = "float32") -> Any:
    model = nn.Sequential(*layers).eval()
    network = trtnet.define(model, {"x": trtnet.Input(IMAGE)}, dtype=dtype)
    if dtype == "float32":
        x = torch.randn(IMAGE)
        with torch.inference_mode():
            assert relative_l2(network.reference()(x), model(x)) <= 1e-6
    return network


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("then", [nn.Tanh(), nn.Sigmoid()])
@pytest.mark.parametrize("first", [nn.ReLU6(), nn.Hardtanh(0, 1), nn.ReLU()])
@pytest.mark.parametrize("convolution", [nn.Conv2d(4, 8, 3), nn.ConvTranspose2d(4, 8, 2, 2, 1)])
def test_a_convolution_has_one_activation(
    convolution: nn.Module, first: nn.Module, then: nn.Module, dtype: str
) -> None:
    plan = bytes(defined(convolution, first, then, dtype=dtype).build().plan.data).decode("latin-1")
    assert all(len(found) <= 1 for found in activations(plan))


def test_activations_of_a_convolution_are_found() -> None:
    call = "nbr_groups=1 relu=%s relu_high=40C00000 relu_low=0 gelu=false tanh=%s swish=false bias=true"
    assert activations(call % ("true", "true") + "\n" + call % ("false", "true")) == [["relu", "tanh"], ["tanh"]]


@pytest.mark.parametrize(
    ("after", "count"),
    [((nn.ReLU6(), nn.Tanh()), 3), ((nn.ReLU6(), nn.ReLU()), 2), ((nn.Hardtanh(), nn.Tanh()), 2), ((nn.Tanh(),), 1)],
)
def test_a_relu_is_between_a_clip_at_zero_and_what_is_set_beside_it(after: tuple[nn.Module, ...], count: int) -> None:
    kinds = [node.kind for node in read(defined(nn.Conv2d(4, 8, 3), *after).trt)]
    assert kinds.count("ACTIVATION") == (count if backend.name() == "tensorrt_rtx" else len(after))
