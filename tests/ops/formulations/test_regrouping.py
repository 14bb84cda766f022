"""Channel shuffles, windows, rolls and patches as models write them in torch, and gathers that become one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from helpers.comparing import Function, relative_l2
from helpers.ops.rearranging_networks import Focus, PatchMerging, ShiftedWindows, ShuffleUnit

import trtnet
from trtnet import ops
from trtnet.graph.layers.read import read

GATHERS = {"roll": "gather", "regrouping": "gather"}


def shifted_block(x: Any) -> Any:
    """Rolled windows of 2 x 4 pixels, their means taken from them, and back."""
    batch, height, width, channels = x.shape
    y = x.roll((-1, -2), (1, 2)).view(batch, height // 2, 2, width // 4, 4, channels)
    y = y.permute(0, 1, 3, 2, 4, 5).reshape(batch * (height // 2) * (width // 4), 8, channels)
    y = (y - y.mean(1, keepdim=True)).view(batch, height // 2, width // 4, 2, 4, channels)
    return y.permute(0, 1, 3, 2, 4, 5).contiguous().view(batch, height, width, channels).roll((1, 2), (1, 2))


def used(network: Any) -> list[Any]:
    """The layers that the output needs."""
    makers = {x: node for node in read(network.trt) for x in node.outputs}
    found: dict[str, Any] = {}
    left = [network.trt.get_output(0)]
    while left:
        node = makers.get(left.pop())
        if node is not None and node.layer.name not in found:
            found[node.layer.name] = node
            left += [x for x in node.inputs if x is not None]
    return [*found.values()]


@pytest.mark.parametrize("batch", [2, "n"])
def test_a_roll_and_its_windows_are_one_gather(batch: int | str) -> None:
    network = trtnet.define(Function(shifted_block), {"x": trtnet.Input((batch, 4, 8, 5))}, {}, forms=GATHERS)
    assert [node.kind for node in used(network)].count("GATHER") == 2
    x = torch.randn(2, 4, 8, 5)
    assert relative_l2(network.reference()(x), shifted_block(x)) <= 1e-6


def test_windows_put_back_at_once_are_the_image() -> None:
    def back(x: Any) -> Any:
        return x.roll((1, 2), (1, 2)).roll((-1, -2), (1, 2))

    network = trtnet.define(Function(back), {"x": trtnet.Input((2, 4, 6, 5))}, {}, forms={"roll": "gather"})
    assert "GATHER" not in {node.kind for node in used(network)}
    x = np.random.default_rng(0).standard_normal((2, 4, 6, 5)).astype(np.float32)
    assert (network.reference()(x) == torch.from_numpy(x)).all()


class ShuffledAndBack(torch.nn.Module):
    """Shuffles that undo each other, of an input or of what a layer made, before convolutions of both."""

    def __init__(self, first: bool) -> None:
        super().__init__()
        self.before = torch.nn.Conv2d(8, 8, 1) if first else torch.nn.Identity()
        self.a, self.b = torch.nn.Conv2d(8, 8, 3, padding=1), torch.nn.Conv2d(8, 8, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.before(x)
        once = torch.nn.functional.channel_shuffle(x, 2)
        return self.a(torch.nn.functional.channel_shuffle(once, 4)) + self.b(x).tanh() * self.b(once)


@pytest.mark.parametrize("shuffled", ["layer", "merged"])
@pytest.mark.parametrize("form", ["permute", "gather", "slices", "convolution"])
@pytest.mark.parametrize("first", [False, True], ids=["an input", "a layer"])
def test_shuffles_that_undo_each_other_are_the_tensor_before_them(first: bool, form: str, shuffled: str) -> None:
    model = ShuffledAndBack(first).eval()
    forms = {"regrouping": form, "shuffled": shuffled}
    network = trtnet.define(model, {"x": trtnet.Input((2, 8, 4, 5))}, forms=forms)
    x = torch.randn(2, 8, 4, 5, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert relative_l2(network.reference()(x), model(x)) <= 1e-6


def test_heads_and_plain_permutations_are_no_regrouping() -> None:
    def heads(x: Any) -> Any:
        apart = x.view(x.shape[0], 4, 3, 5).transpose(1, 2)
        return apart.reshape(x.shape[0] * 3, 4, 5), x.transpose(1, 2).reshape(x.shape[0], 15, 4)

    network = trtnet.define(Function(heads), {"x": trtnet.Input(("n", 4, 15))}, {})
    assert network.forms.chosen == {}


def test_slices_that_were_written_to_are_joined_as_they_are_now() -> None:
    def written(x: Any) -> Any:
        y = x * 2
        first, second = y[:, ::2], y[:, 1::2]
        first += 1
        library = torch if isinstance(x, torch.Tensor) else ops
        return library.cat([first, second], -1) + y[:, :2].repeat(1, 1, 2)

    network = trtnet.define(Function(written), {"x": trtnet.Input((2, 4, 6))}, {}, forms={"merging": "permute"})
    assert network.forms.chosen == {"": {"merging": "permute"}}
    x = torch.randn(2, 4, 6)
    assert relative_l2(network.reference()(x), written(x)) <= 1e-6


@pytest.mark.parametrize("chosen", [(0, 0), (1, 1), (0, 1, 1), (0,)])
def test_slices_that_are_not_all_of_a_tensor_each_once_are_joined(chosen: tuple[int, ...]) -> None:
    def joined(x: Any) -> Any:
        library = torch if isinstance(x, torch.Tensor) else ops
        return library.cat([x[:, i::2] for i in chosen], -1)

    network = trtnet.define(Function(joined), {"x": trtnet.Input((2, 4, 6))}, {})
    assert network.forms.chosen == {}
    x = torch.randn(2, 4, 6)
    assert (network.reference()(x) == joined(x)).all()


@pytest.mark.parametrize(
    ("model", "shape", "forms"),
    [
        (ShuffleUnit(8), (1, 8, 4, 4), {"regrouping": "gather"}),
        (ShuffleUnit(8), (1, 8, 4, 4), {"regrouping": "slices"}),
        (torch.nn.Sequential(ShuffleUnit(8), ShuffleUnit(8)), (1, 8, 4, 4), {"shuffled": "merged"}),
        (ShiftedWindows(6), (2, 14, 14, 6), GATHERS),
        (ShiftedWindows(6), (2, 14, 14, 6), {"regrouping": "slices", "roll": "slices"}),
        (PatchMerging(3), (1, 4, 6, 3), {"merging": "permute"}),
        (Focus(4), (1, 3, 4, 6), {"merging": "convolution"}),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, torch.nn.Module) else None,
)
def test_live_modules_have_them(model: torch.nn.Module, shape: tuple[int, ...], forms: dict[str, str]) -> None:
    network = trtnet.define(model.eval(), {"x": trtnet.Input(shape)}, forms=forms)
    chosen = {kind: form for every in network.forms.chosen.values() for kind, form in every.items() if kind in forms}
    assert chosen == forms
    x = torch.randn(shape)
    with torch.inference_mode():
        assert relative_l2(network.reference()(x), model(x)) <= 2e-6
