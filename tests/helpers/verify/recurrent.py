"""A cell whose state is carried from call to call, here and in torch."""

from __future__ import annotations

from typing import Any

import torch

import trtnet
from trtnet import nn


class Cell(nn.Module):
    inputs = {"x": trtnet.Input((2, 3)), "h": trtnet.Input((2, 4), "float32")}

    def __init__(self) -> None:
        self.cell, self.head = nn.GRUCell(3, 4), nn.Linear(4, 2)

    def forward(self, x: Any, h: Any) -> Any:
        h = self.cell(x, h)
        return {"y": self.head(h), "h_next": h.float()}


class TorchCell(torch.nn.Module):
    """leak: what the state gains in each step."""

    def __init__(self, leak: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.cell, self.head, self.leak = torch.nn.GRUCell(3, 4), torch.nn.Linear(4, 2), leak

    def forward(self, x: torch.Tensor, h: torch.Tensor) -> dict[str, torch.Tensor]:
        h = self.cell(x, h)
        return {"y": self.head(h), "h_next": h + self.leak}


class Positional(TorchCell):
    def forward(self, x: torch.Tensor, h: torch.Tensor) -> Any:
        return tuple(super().forward(x, h).values())
