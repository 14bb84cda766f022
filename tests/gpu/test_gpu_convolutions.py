"""Convolutions with a dynamic batch on a real GPU, in groups and beside shortcuts. tests/conftest.py skips these."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from helpers.comparing import relative_l2
from helpers.originals import import_torchvision
from torch import nn

import trtnet
from trtnet.reference.step import to_numpy

pytestmark = pytest.mark.gpu
TOLERANCES = {"float32": 5e-5, "float16": 4e-2, "bfloat16": 1e-1}


class Block(nn.Module):
    """A convolution and a shortcut; with squeeze and excitation where `squeezed` channels are given."""

    def __init__(self, channels: int, width: int, squeezed: int = 0) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, channels, 3, padding=1, groups=channels // width)
        self.excitation = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, squeezed or 1, 1), nn.ReLU(),
            nn.Conv2d(squeezed or 1, channels, 1), nn.Sigmoid(),
        ) if squeezed else None  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.convolution(x))
        return x + (y if self.excitation is None else y * self.excitation(y))


def blocks(channels: int, width: int, squeezed: int = 0) -> nn.Module:
    return nn.Sequential(*(Block(channels, width, squeezed) for _ in range(4)))


MODULES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "groups of 8": (lambda: blocks(208, 8), (208, 14, 14)),
    "an odd number of groups of 8": (lambda: blocks(104, 8, 26), (104, 28, 28)),
    "groups of 8 with excitation": (lambda: blocks(208, 8, 52), (208, 14, 14)),
    "groups of 16": (lambda: blocks(208, 16), (208, 14, 14)),
    "one group": (lambda: blocks(208, 208), (208, 14, 14)),
    "regnet_y_400mf": (lambda: import_torchvision().models.regnet_y_400mf(), (3, 224, 224)),
}


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("name", MODULES)
def test_a_dynamic_batch_is_right_at_every_size(name: str, dtype: str) -> None:
    make, size = MODULES[name]
    torch.manual_seed(0)
    module = make().eval()
    engine = trtnet.define(module, {"x": trtnet.Input(("batch", *size))}, dtype=dtype).build({"batch": (1, 8, 32)})
    x = torch.randn(32, *size)
    for batch in (1, 8, 32, 8):
        with torch.inference_mode():
            expected = module(x[:batch]).numpy()
        found = engine(to_numpy(x[:batch].to(getattr(torch, dtype))))
        assert relative_l2(np.asarray(found, np.float32), expected) <= TOLERANCES[dtype]


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("then", [nn.Tanh(), nn.Sigmoid()])
@pytest.mark.parametrize("made", [lambda: nn.Conv2d(2, 24, 2), lambda: nn.ConvTranspose2d(2, 8, 2, 2, 1)])
def test_two_activations_behind_a_convolution(made: Callable[[], nn.Module], then: nn.Module, dtype: str) -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(made(), nn.ReLU6(), then).eval(), torch.randn(4, 2, 20, 17)
    with torch.inference_mode():
        expected = model(x)
    for batch in (4, "batch"):
        network = trtnet.define(model, {"x": trtnet.Input((batch, 2, 20, 17))}, dtype=dtype)
        with network.build({"batch": (1, 2, 4)} if batch == "batch" else None) as engine:
            found = engine(x.to(getattr(torch, dtype)).cuda()).float().cpu()
        assert relative_l2(found, expected) <= TOLERANCES[dtype]
