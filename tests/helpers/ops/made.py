"""Models that a function makes of modules, and what is left of them in a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from trtnet.graph.layers.read import Node, needed, read


class Made(torch.nn.Module):
    """Modules, of which a function makes the model: it gets this one and the input."""

    def __init__(self, made: Callable[..., Any]) -> None:
        super().__init__()
        self.made = made

    def forward(self, x: torch.Tensor) -> Any:
        return self.made(self, x)


def batch_norm(channels: int) -> torch.nn.BatchNorm2d:
    """One that has seen data."""
    norm = torch.nn.BatchNorm2d(channels)
    assert norm.running_mean is not None and norm.running_var is not None
    norm.running_mean.uniform_(-1, 1)
    norm.running_var.uniform_(0.5, 2)
    return norm


def layers(network: Any) -> list[Node]:
    """The layers that the outputs need."""
    return needed(read(network.trt), [tensor.trt for tensor in network.outputs.values()])
