"""Masks of constants: equal ones of several layers are one constant."""

from __future__ import annotations

from typing import Any

import torch
from helpers.comparing import relative_l2
from helpers.ops.rearranging_networks import MaskedWindows

import trtnet
from trtnet.graph.layers.read import needed, read


def used(network: Any) -> list[Any]:
    return needed(read(network.trt), [network.trt.get_output(0)])


def test_the_masks_of_two_blocks_are_one_constant() -> None:
    model = torch.nn.Sequential(MaskedWindows(8, 2), MaskedWindows(8, 2)).eval()
    shape = (2, 14, 14, 8)
    networks = [
        trtnet.define(model, {"x": trtnet.Input(shape)}, forms={"select": form}) for form in ("layer", "constant")
    ]
    kinds = [[node.kind for node in used(network)] for network in networks]
    assert [each.count("SELECT") for each in kinds] == [4, 0]
    masks = [n for n in used(networks[1]) if n.kind == "CONSTANT" and tuple(n.layer.shape) == (4, 49, 49)]
    assert len(masks) == 1
    x = torch.randn(shape)
    with torch.inference_mode():
        assert all(relative_l2(network.reference()(x), model(x)) <= 2e-6 for network in networks)


class CausalTwice(torch.nn.Module):
    """Two layers that make a mask of an unknown length each for itself."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(2):
            places = torch.arange(x.shape[1])
            mask = torch.where(places[None] <= places[:, None], torch.zeros(1, 1), torch.full((1, 1), -1e4))
            x = (x @ x.transpose(1, 2) + mask).softmax(-1) @ x
        return x


def test_the_masks_of_a_length_that_is_not_known_are_one() -> None:
    inputs, x = {"x": trtnet.Input((1, "s", 4))}, torch.randn(1, 5, 4)
    for form, count in (("layer", 2), ("shared", 1)):
        network = trtnet.define(CausalTwice().eval(), inputs, forms={"select": form})
        assert [node.kind for node in used(network)].count("SELECT") == count
        assert relative_l2(network.reference()(x), CausalTwice()(x)) <= 2e-6


def test_a_choice_by_an_input_is_no_constant() -> None:
    class Net(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.where(x > 0, torch.ones(3), torch.zeros(3))

    network = trtnet.define(Net().eval(), {"x": trtnet.Input((2, 3))})
    assert network.forms.chosen == {}
