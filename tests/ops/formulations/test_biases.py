"""A bias and a mask, both made of constants, are added to each other first; what depends on an input is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from helpers.comparing import relative_l2

import trtnet
from trtnet.graph.layers.read import needed, producers, read


class Scores(torch.nn.Module):
    """Swin's: a bias out of a table, and a mask for each of two windows."""

    def __init__(self, made: Callable[[Any, torch.Tensor, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.table = torch.nn.Parameter(torch.randn(7, 3, generator=torch.Generator().manual_seed(0)))
        self.register_buffer("index", torch.arange(16) % 7)
        self.made = made

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        bias = self.table[self.index].view(4, 4, 3).permute(2, 0, 1).contiguous().unsqueeze(0)
        return self.made(self, x @ x.transpose(-1, -2), bias)


MASK = torch.randn(1, 2, 1, 4, 4, generator=torch.Generator().manual_seed(1))
ONE: dict[str, Any] = {
    "windows": lambda m, x, bias: ((x + bias).view(x.shape[0] // 2, 2, 3, 4, 4) + MASK).tanh(),
    "in place": lambda m, x, bias: (x + bias).add_(MASK[:, 0]).tanh(),
    "the sum is read, too": lambda m, x, bias: (lambda y: (y + MASK[:, 0]) * y)(x + bias),
}
APART: dict[str, Any] = {
    "of an input": lambda m, x, bias: x + bias + x.mean(0, keepdim=True),
    "of other windows": lambda m, x, bias: (x + bias).view(2, x.shape[0] // 2, 3, 4, 4)[:, :1] + x[:1],
    "heads first": lambda m, x, bias: (x + bias).transpose(0, 1) + MASK[:, :1].view(1, 1, 4, 4),
    "of one axis": lambda m, x, bias: x + bias[0, 0, 0] + MASK[0, 0, 0, 0],
}


def sums_of_inputs(network: Any) -> int:
    """How many sums have an operand that depends on the input."""
    nodes = needed(read(network.trt), [network.trt.get_output(0)])
    makers = producers(nodes)

    def depends(tensor: Any) -> bool:
        return tensor not in makers or any(depends(x) for x in makers[tensor].inputs if x is not None)

    sums = [node for node in nodes if node.kind == "ELEMENTWISE" and node.layer.op.name == "SUM"]
    return sum(depends(node.outputs[0]) for node in sums)


def defined(made: Any) -> Any:
    model, x = Scores(made).eval(), torch.randn(4, 3, 4, 5, generator=torch.Generator().manual_seed(2))
    network = trtnet.define(model, {"x": trtnet.Input((4, 3, 4, 5))}, forms={"biases": "one"})
    with torch.inference_mode():
        assert relative_l2(network.reference()(x), model(x)) <= 2e-6
    return network


@pytest.mark.parametrize("name", ONE)
def test_constants_are_added_to_each_other_first(name: str) -> None:
    network = defined(ONE[name])
    assert network.forms.chosen[""]["biases"] == "one"
    assert sums_of_inputs(network) == (2 if name == "the sum is read, too" else 1)


@pytest.mark.parametrize("name", APART)
def test_other_sums_are_as_they_are_written(name: str) -> None:
    assert "biases" not in defined(APART[name]).forms.chosen.get("", {})
