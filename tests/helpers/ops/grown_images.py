"""A convolution whose result gets more rows and columns, for whatever reads windows of it."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

SIDES = {
    "below and right": (0, 1, 0, 1), "right": (0, 1), "below": (0, 0, 0, 1), "above and left": (1, 0, 1, 0),
    "more below": (1, 2, 1, 2), "around": (1, 1, 1, 1), "two": (0, 2, 0, 2),
}  # fmt: skip
READERS = {
    "convolution": lambda: nn.Conv2d(16, 16, 2),
    "each channel": lambda: nn.Conv2d(16, 16, 2, groups=16),
    "transposed convolution": lambda: nn.ConvTranspose2d(16, 16, 2, 2),
    "maximum": lambda: nn.MaxPool2d(2, 1),
    "mean": lambda: nn.AvgPool2d(2, 1),
}


class Grown(nn.Module):
    """{name of the sides: relu(conv(x)), padded, read}, every other one with ones instead of zeros.

    joined: relu(conv(x)) beside `x` is padded.
    """

    def __init__(self, reader: str, joined: bool = False) -> None:
        super().__init__()
        self.joined = joined
        self.convs = nn.ModuleList(nn.Conv2d(3, 13 if joined else 16, 3, padding=1) for _ in SIDES)
        self.readers = nn.ModuleList(READERS[reader]() for _ in SIDES)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        found = {}
        for i, (name, sides) in enumerate(SIDES.items()):
            image = torch.relu(self.convs[i](x))
            image = torch.cat([image, x], 1) if self.joined else image
            found[name] = self.readers[i](functional.pad(image, sides, value=float(i % 2)))
        return found
