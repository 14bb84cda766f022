"""A torch module made of others and of a function that calls them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn


class Parts(nn.Module):
    """Modules by their names, and how they are called."""

    def __init__(self, call: Callable[[Any, Tensor], Tensor], **modules: nn.Module):
        super().__init__()
        self.call = call
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, x: Tensor) -> Tensor:
        return self.call(self, x)
