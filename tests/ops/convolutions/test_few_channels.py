"""Convolutions of 8 to 63 channels, computed with 64 where windows of several pixels read or make them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from helpers.comparing import agreeing, random_tensor, relative_l2
from helpers.ops.made import Made, batch_norm, layers

import trtnet
from trtnet.graph.layers.read import Node

F = torch.nn.functional
FORMS = {
    "few_channels": "padded_to_64",
    "unaligned": "layer",
    "pooling": "layer",
    "stem": "convolution",
    "split_k": "whole",
}


class Net(Made):
    """Convolutions of 16, 24 and 72 channels, of which a function makes the model."""

    def __init__(self, made: Any) -> None:
        super().__init__(made)
        conv = torch.nn.Conv2d
        self.stem, self.one, self.two = conv(3, 16, 3, 2, 1), conv(16, 16, 3, padding=1), conv(16, 16, 3, padding=1)
        self.down, self.deep, self.up = conv(16, 24, 3, 2, 1), conv(24, 24, 3, padding=1), conv(24, 16, 1)
        self.wide, self.thin, self.odd = conv(16, 72, 1), conv(72, 16, 1), conv(16, 18, 3)
        self.each, self.pair, self.last = (
            conv(72, 72, 3, padding=1, groups=72),
            conv(16, 16, 1, groups=2),
            conv(16, 8, 1),
        )
        self.own, self.both, self.norm = conv(16, 16, 3, groups=16), conv(32, 72, 3), batch_norm(16)


def block(m: Net, x: torch.Tensor) -> torch.Tensor:
    return F.relu(m.norm(m.two(F.relu(m.one(x)))) + x)


def branches(m: Net, x: torch.Tensor) -> torch.Tensor:
    """HRNet's, of two resolutions, each of which reads both."""
    full = block(m, m.stem(x))
    half = F.relu(m.deep(F.relu(m.down(full))))
    other = F.relu(m.deep(half) + m.down(full))
    return m.wide(F.relu(full + F.interpolate(m.up(half), scale_factor=2, mode="nearest"))).mean() + m.up(other)


def inverted(m: Net, x: torch.Tensor) -> torch.Tensor:
    """MobileNet's block: images of 16 channels which 1x1 convolutions alone make and read."""
    return m.thin(F.relu(m.each(F.relu(m.wide(x)))))


def read_with(made: Any, size: tuple[Any, ...], forms: Any = FORMS, dtype: str = "float32") -> tuple[Any, list[Node]]:
    """The network and the layers that its outputs need, after a comparison with torch."""
    torch.manual_seed(0)
    model = Net(made).eval()
    network = trtnet.define(model, {"x": trtnet.Input(size)}, dtype=dtype, forms=forms)
    assert agreeing(network, model, random_tensor(2, *size[1:], dtype=dtype))
    return network, layers(network)


def channels(nodes: list[Node]) -> set[tuple[int, int]]:
    """Of the images that convolutions read and make."""
    return {(n.inputs[0].shape[1], n.outputs[0].shape[1]) for n in nodes if n.kind == "CONVOLUTION"}


COLOURS, FEW = (2, 3, 16, 12), ("n", 16, 8, 6)
ASKED: dict[str, tuple[Callable[[Net, torch.Tensor], Any], tuple[Any, ...], set[tuple[int, int]]]] = {
    "a block behind a stem": (lambda m, x: m.wide(block(m, m.stem(x))), COLOURS, {(3, 64), (64, 64), (64, 72)}),
    "branches": (branches, COLOURS, {(3, 64), (64, 64), (64, 72), (64, 16)}),
    "an image that has no others": (lambda m, x: m.wide(m.two(m.one(x))), FEW, {(16, 64), (64, 64), (64, 72)}),
    "a chain of 1x1 convolutions' results": (
        lambda m, x: m.wide(m.one(inverted(m, x) + m.thin(m.wide(x)))), FEW,
        {(16, 72), (72, 72), (72, 64), (64, 64), (64, 72)},
    ),
    "a depthwise convolution": (lambda m, x: m.wide(m.one(m.own(m.one(x)))), FEW, {(16, 64), (64, 64), (64, 72)}),
    "unaligned ones": (lambda m, x: m.odd(m.one(x)), FEW, {(16, 64), (64, 64)}),
    "a concatenation": (
        lambda m, x: m.both(torch.cat([m.one(x), m.two(x)], 1)), FEW, {(16, 64), (128, 72)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ASKED)
def test_convolutions_of_few_channels_make_and_read_64(name: str) -> None:
    made, size, expected = ASKED[name]
    _, nodes = read_with(made, size)
    _, neutral = read_with(made, size, FORMS | {"few_channels": "layer"})
    assert channels(nodes) == expected
    kinds, without = (Counter(node.kind for node in each) for each in (nodes, neutral))
    slices = Counter(SLICE=1) if name == "unaligned ones" else Counter()  # the output's own channels
    assert kinds == without + slices
    read_with(made, size, dtype="float16")


NOT_ASKED: dict[str, tuple[Callable[[Net, torch.Tensor], Any], tuple[Any, ...]]] = {
    "1x1 convolutions alone": (inverted, FEW),
    "a stem and a block of 1x1 convolutions": (lambda m, x: (lambda y: y + inverted(m, y))(m.stem(x)), COLOURS),
    "depthwise windows": (lambda m, x: m.wide(m.own(m.thin(m.wide(x)))), FEW),
    "groups": (lambda m, x: m.wide(m.pair(m.thin(m.wide(x)))), FEW),
}


@pytest.mark.parametrize("name", NOT_ASKED)
def test_others_are_no_operations_of_the_kind(name: str) -> None:
    network, nodes = read_with(*NOT_ASKED[name])
    assert all("few_channels" not in chosen for chosen in network.forms.chosen.values())
    assert not any(64 in pair for pair in channels(nodes))


def test_what_else_reads_an_image_reads_a_slice() -> None:
    network, nodes = read_with(lambda m, x: m.wide(torch.exp(m.one(x) * 0.1)) + m.pair(m.one(x)).mean(), FEW)
    assert Counter(node.kind for node in nodes)["SLICE"] == 2 and (16, 64) in channels(nodes)
    assert network.build({"n": 2}).plan.data


def test_sums_of_padded_convolutions_are_split() -> None:
    """Whose number of terms is that of the padded one."""
    still = {"x": trtnet.Input((2, *FEW[1:]))}
    torch.manual_seed(0)
    model = Net(lambda m, x: m.wide(block(m, m.one(x)))).eval()
    forms = FORMS | {"split_k": {"two": "halves"}}
    network = trtnet.define(model, still, forms=forms)
    x = random_tensor(2, 16, 8, 6)
    with torch.inference_mode():
        assert relative_l2(network.reference()(x), model(x)) <= 1e-6
    assert network.forms.chosen["two"]["split_k"] == "halves" and network.forms.by["two"]["split_k"] == "user: two"
    nodes = layers(network)
    assert any(128 in pair for pair in channels(nodes))


def test_other_kinds_of_a_module_alone() -> None:
    """One module's convolution is padded, and what reads it elsewhere reads a slice."""
    network, nodes = read_with(lambda m, x: m.two(F.relu(m.one(x))), FEW, {"few_channels": {"one": "padded_to_64"}})
    assert channels(nodes) == {(16, 64), (16, 16)} and network.forms.by["one"]["few_channels"] == "user: one"
