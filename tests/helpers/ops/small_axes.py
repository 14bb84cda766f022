"""A reduction of the channels, and one of other axes behind it; of the coordinates of points, and of the points."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

FIRST = {
    "mean": lambda x: x - x.mean(1, keepdim=True), "softmax": lambda x: x * x.softmax(1),
    "squeezed": lambda x: x - x.mean(1).unsqueeze(1),
    "largest": lambda x: x * x.amax(1, keepdim=True), "log_softmax": lambda x: x.log_softmax(1),
    "norm": lambda x: functional.normalize(x, dim=1), "std": lambda x: x / (x.std(1, keepdim=True) + 1),
    "luma": lambda x: x - (0.3 * x[:, :1] + 0.6 * x[:, 1:2]), "first": lambda x: x * x[:, 0].sigmoid().unsqueeze(1),
    "layer_norm": lambda x: functional.layer_norm(x.permute(0, 2, 3, 1), (x.shape[1],)).permute(0, 3, 1, 2),
}  # fmt: skip
THEN = {
    "mean": lambda y: y.mean(3), "layer_norm": lambda y: functional.layer_norm(y, (y.shape[3],)),
    "softmax": lambda y: y * y.softmax(3), "pixels": lambda y: y.mean((2, 3)),
    "group_norm": lambda y: functional.group_norm(y, 1), "centred": lambda y: y - y.mean((2, 3), keepdim=True),
}  # fmt: skip
POINTS = {
    "mean": lambda t: t - t.mean(-1, keepdim=True), "softmax": lambda t: t * t.softmax(-1),
    "norm": lambda t: functional.normalize(t, dim=-1), "first": lambda t: t - t[..., :1],
    "first point": lambda t: t - t[:, 0].unsqueeze(1),
}  # fmt: skip
"""Of [batch, points, coordinates]."""


class Chain(nn.Module):
    def __init__(self, first: str, then: str) -> None:
        super().__init__()
        self.first, self.then = FIRST[first], THEN[then]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.then(self.first(x))


class Tapped(Chain):
    """Both are results."""

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:  # type: ignore[override]
        first = self.first(x)
        return {"first": first, "y": self.then(first)}


class Points(nn.Module):
    """The mean over points, behind something of their coordinates."""

    def __init__(self, first: str) -> None:
        super().__init__()
        self.first = POINTS[first]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.first(x) * x).mean(1)
