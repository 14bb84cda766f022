"""A network for a benchmark of forms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Row:
    """A network of a kind at some shapes."""

    kind: str
    name: str
    make: Callable[[], nn.Module]
    shapes: tuple[Shape, ...]

    def model(self) -> nn.Module:
        """Always with the same weights."""
        torch.manual_seed(0)
        return self.make().eval()

    def inputs(self) -> dict[str, torch.Tensor]:
        generator = torch.Generator().manual_seed(1)
        names = ("x",) if len(self.shapes) == 1 else ("q", "k", "v")
        pairs = zip(names, self.shapes, strict=True)
        return {name: torch.randn(*shape, generator=generator).half() for name, shape in pairs}
