"""Padding by ints and Dims, positive and negative, in every mode, against torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from helpers.comparing import network_of, relative_l2
from helpers.ops.both_libraries import defined, same_as_torch

import trtnet
from trtnet.support import backend
from trtnet.support.errors import LayerError

X = torch.arange(1 * 2 * 5 * 7.0).reshape(1, 2, 5, 7)
MODES = ("constant", "reflect", "replicate", "circular")


def padded(m: Any, *arguments: Any, **options: Any) -> Any:
    return (F if m is torch else m).pad(*arguments, **options)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("sides", [(1, 2), (1, -1), (-2, 1), (-1, -1), (2, -3, -1, 2), (0, 0, 3, 0), (-1, 2, 0, -2)])
def test_sides_of_both_signs(mode: str, sides: tuple[int, ...]) -> None:
    whole = (*sides, *(0,) * (4 - len(sides)))
    same_as_torch(lambda m, x: padded(m, x, whole, mode=mode), X)


@pytest.mark.parametrize("mode", MODES)
def test_sides_that_are_known_at_run_time(mode: str) -> None:
    def to_multiple(m: Any, x: Any) -> Any:
        down, right = (4 - x.shape[2] % 4) % 4, (4 - x.shape[3] % 4) % 4
        return padded(m, x, [0, right, 0, down], mode=mode)

    same_as_torch(to_multiple, X)
    same_as_torch(lambda m, x: padded(m, x, (x.shape[2] - 6, x.shape[2] - 3, 0, 1), mode=mode), X)


def test_a_window_of_a_video_model() -> None:
    same_as_torch(lambda m, x: padded(m, x, (0, 0, 0, (7 - x.shape[2] % 7) % 7)).reshape(2, -1, 7), X)


def test_nothing_is_padded_to_something() -> None:
    same_as_torch(lambda m, x: padded(m, x, (1, 1)), torch.zeros(0))
    same_as_torch(lambda m, x: padded(m, x, (2, 0, 1, 3), value=2.5), torch.zeros(2, 0, 0))


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64", "float16", "bfloat16"])
def test_every_dtype(dtype: str) -> None:
    x = (X % 2).to(getattr(torch, dtype))
    same_as_torch(lambda m, x: padded(m, x, (1, -1, 2, 0)), x)
    same_as_torch(lambda m, x: padded(m, x, (1, 0), value=1), x)


REFUSED = {
    "reflects too much": (lambda x: trtnet.ops.pad(x, (7, 0), "reflect"), "reflect padding of"),
    "wraps too much": (lambda x: trtnet.ops.pad(x, (8, 0), "circular"), "circular padding of"),
    "crops too much": (lambda x: trtnet.ops.pad(x, (-4, -4)), "takes more than an axis of size 7 has"),
    "a float": (lambda x: trtnet.ops.pad(x, (0.5, 1)), "pad takes ints and sizes, found 0.5"),
    "odd": (lambda x: trtnet.ops.pad(x, (1,)), "a pair for each"),
    "mode": (lambda x: trtnet.ops.pad(x, (1, 1), "wrap"), "mode is constant, reflect"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_torch_refuses(name: str) -> None:
    function, text = REFUSED[name]
    with pytest.raises(LayerError, match=text) as caught:
        network_of(function, {"x": trtnet.Input(tuple(X.shape))})
    assert "test_pad.py" in str(caught.value)


def test_dynamic_pads_build_ahead_of_time() -> None:
    for mode in MODES:
        network = defined(
            lambda m, x, mode=mode: m.pad(x, (0, (4 - x.shape[3] % 4) % 4, 0, 1), mode=mode), [X], dynamic=True
        )
        assert len(network.build({"s1": 1, "s2": 2, "s5": (4, 5, 9), "s7": (5, 7, 9)}).plan.data) > 1000


@pytest.mark.parametrize(
    ("sides", "rank"), [((0, 1, 0, 1), 3), ((1, 1, 1, 1), 4), ((0, 1), 3), ((0, 0, 0, 0, 0, 2), 4)]
)
def test_an_image_that_grows_behind_a_convolution_is_padded_apart_from_it(sides: tuple[int, ...], rank: int) -> None:
    """TensorRT-RTX 1.6.1 computes uneven sides of images wrong in the kernel of the convolution."""
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), Padded(sides))
    network = trtnet.define(model.eval(), {"x": trtnet.Input(("batch", 3, 6, 7))})
    ranks = [len(layer.get_input(0).shape) for layer in network.trt if layer.type.name == "SLICE"]
    assert ranks == [rank if backend.name() == "tensorrt_rtx" else 4]
    x = torch.randn(2, 3, 6, 7, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert relative_l2(network.reference()(x), model(x)) < 1e-6


@pytest.mark.parametrize("between", ["cat", "slice", "permute"])
def test_what_holds_a_convolution_s_result_is_padded_apart_from_it(between: str) -> None:
    model = Joined(between).eval()
    network = trtnet.define(model, {"x": trtnet.Input(("batch", 3, 6, 6))})
    last = [len(layer.get_input(0).shape) for layer in network.trt if layer.type.name == "SLICE"][-1]
    assert last == (3 if backend.name() == "tensorrt_rtx" else 4)
    x = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert relative_l2(network.reference()(x), model(x)) < 1e-6


class Joined(torch.nn.Module):
    def __init__(self, between: str) -> None:
        super().__init__()
        self.conv, self.between = torch.nn.Conv2d(3, 4, 3, padding=1), between

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = {
            "cat": lambda y: torch.cat([y, x], 1), "slice": lambda y: y[:, 1:, :-1], "permute": lambda y: y.mT,
        }[self.between](self.conv(x))  # fmt: skip
        return F.pad(y, (0, 1, 0, 1))


def test_all_axes_of_a_convolution_s_result_grow() -> None:
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), Padded((0, 1, 2, 1, 1, 0, 0, 3), 2.0))
    network = trtnet.define(model.eval(), {"x": trtnet.Input((2, 3, 6, "width"))})
    x = torch.randn(2, 3, 6, 7, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert relative_l2(network.reference()(x), model(x)) < 1e-6


class Padded(torch.nn.Module):
    def __init__(self, sides: tuple[int, ...], value: float = 0) -> None:
        super().__init__()
        self.sides, self.value = sides, value

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.pad(x, self.sides, value=self.value)
