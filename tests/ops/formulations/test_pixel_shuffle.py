"""A convolution and the pixel shuffle behind it as one transposed convolution, and who reads the first result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from helpers.comparing import relative_l2

import trtnet
from trtnet.graph.layers.read import read
from trtnet.support.errors import ModelError


class Upsampler(torch.nn.Module):
    """EDSR's, with a batch norm; what it returns is made of both results."""

    def __init__(self, made: Callable[[torch.nn.Module, torch.Tensor, torch.Tensor], Any]) -> None:
        super().__init__()
        self.conv, self.norm = torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.BatchNorm2d(8)
        self.shuffle = torch.nn.PixelShuffle(2)
        self.made = made

    def forward(self, x: torch.Tensor) -> Any:
        y = self.norm(self.conv(x))
        return self.made(self.shuffle, y, x)


def defined(made: Any) -> Any:
    torch.manual_seed(0)
    model = Upsampler(made).eval()
    x = torch.randn(2, 3, 5, 4)
    network = trtnet.define(model, {"x": trtnet.Input(("n", 3, "h", 4))}, forms={"pixel_shuffle": "merged"})
    with torch.inference_mode():
        wanted = model(x)
    found = network.reference()(x)
    pairs = zip(found, wanted, strict=True) if isinstance(wanted, tuple) else ((found, wanted),)
    assert all(relative_l2(ours, theirs) <= 2e-6 for ours, theirs in pairs)
    return network


def kinds(network: Any) -> list[str]:
    return [node.kind for node in read(network.trt)]


def test_it_is_one_layer() -> None:
    network = defined(lambda shuffle, y, x: shuffle(y))
    assert kinds(network).count("DECONVOLUTION") == 1
    assert network.forms.chosen["shuffle"] == {"pixel_shuffle": "merged"}
    assert network.build({"n": 2, "h": (3, 5, 7)}).plan.data


def test_what_reads_the_convolution_later_gets_a_convolution_of_its_own() -> None:
    network = defined(lambda shuffle, y, x: (shuffle(y), y.relu()))
    assert kinds(network).count("DECONVOLUTION") == 1
    assert kinds(network).count("CONVOLUTION") == 2, "one that nothing reads, and one that the ReLU reads"
    assert network.build({"n": 2, "h": 5}).plan.data


def test_a_convolution_that_was_read_before_stays() -> None:
    with pytest.raises(ModelError, match=r"'merged' of 'pixel_shuffle' .* which nothing has read before"):
        defined(lambda shuffle, y, x: (y.relu(), shuffle(y)))
