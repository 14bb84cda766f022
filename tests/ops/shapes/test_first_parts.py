"""The first element of an axis beside all of them, which TensorRT-RTX 1.6.1 confuses with them in a slice."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers.comparing import Function, relative_l2
from helpers.plan_kernels import fused

import trtnet
from trtnet.support import backend

X = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))


def layers(call: Any, shape: tuple[Any, ...] = (2, 3, 4, 5)) -> tuple[set[str], trtnet.Network]:
    network = trtnet.define(Function(call), {"x": trtnet.Input(shape)}, {})
    assert relative_l2(network.reference()(X), call(X)) < 1e-6
    return {layer.type.name for layer in network.trt}, network


@pytest.mark.parametrize(
    "call",
    [
        lambda x: x - x[:, :1],
        lambda x: x[:, :, :1] * x,
        lambda x: x.exp() - x[:, :1],
        lambda x: x - x[:, 0].unsqueeze(1),
        lambda x: x - (0.3 * x[:, :1] + 0.6 * x[:, 1:2]),
        lambda x: x - (0.3 * x[:, 0] + 0.6 * x[:, 1]).unsqueeze(1),
        lambda x: x * x[:, :1].sigmoid(),
        lambda x: x * x[:, :1].exp(),
        lambda x: x * (x[:, :1] > 0),
        lambda x: x.where(x > 0, x[:, :1]),
        lambda x: x * x[:, :1].int(),
        lambda x: x - x[:, :1].expand(2, 3, 4, 5),
        lambda x: x - x[:, :1, :, :1],
        lambda x: x * x[:, :1].relu(),
        lambda x: x - x[:, :1].transpose(2, 3).transpose(2, 3),
        lambda x: x * x[:, 0].transpose(1, 2).exp().transpose(1, 2).unsqueeze(1),
        lambda x: x - x[:, :1][:, :, 1:2],
    ],
)
@pytest.mark.parametrize("batch", [2, "batch"])
def test_in_a_computation_it_is_gathered(call: Any, batch: Any) -> None:
    found, network = layers(call, (batch, 3, 4, 5))
    assert ("GATHER" in found) == (backend.name() == "tensorrt_rtx")
    assert network.build({"batch": 2} if batch == "batch" else None).plan.data


@pytest.mark.parametrize(
    "call",
    [
        lambda x: x - x[:, 1:2],
        lambda x: x[:, :2] * 2,
        lambda x: x[:, :1],
        lambda x: x[:, :1].transpose(2, 3) @ x[:, 1:2],
        lambda x: 2 * x.unflatten(3, (5, 1))[:, 0],
    ],
)
def test_elsewhere_it_is_a_slice(call: Any) -> None:
    assert "GATHER" not in layers(call)[0]


class Head(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(64, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x.exp()[:, 0])


@pytest.mark.parametrize("name", ["reduction", "merged_reduction"])
def test_a_class_token_that_is_the_row_of_a_product_is_a_slice(name: str) -> None:
    """Eight of its numbers are read at a time."""
    x, model = torch.randn(1, 17, 64), Head().eval()
    network = trtnet.define(model, {"x": trtnet.Input((1, 17, 64))}, dtype="float16", forms={"row": name})
    assert "GATHER" not in {layer.type.name for layer in network.trt}
    assert relative_l2(network.reference()(x.half()), model(x).detach()) < 2e-3
    (kernel,) = fused(bytes(network.build().plan.data).decode("latin-1"))
    assert "Sum" in kernel.name and kernel.width == 8
