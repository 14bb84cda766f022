"""torchvision.ops in a live module: by trtnet's operations where TensorRT can, else an error that names what to do."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest
import torch
from helpers.comparing import relative_l2
from helpers.definition.torchvision_operators import with_operators
from torch import nn

import trtnet
from trtnet.support import backend

Given = dict[str, torch.Tensor]


class Calling(nn.Module):
    """A function of tensors as a module."""

    def __init__(self, function: Callable[..., Any], *members: nn.Module) -> None:
        super().__init__()
        self.function, self.members = function, nn.ModuleList(members)

    def forward(self, **given: torch.Tensor) -> Any:
        return self.function(*self.members, *given.values())


def boxes(n: int, size: float, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    low = torch.rand(n, 2, generator=generator) * size * 0.6
    return torch.cat([low, low + 1 + torch.rand(n, 2, generator=generator) * size * 0.4], 1)


def check(module: nn.Module, given: Given) -> Any:
    """The network of a module equals it; one that is built, too."""
    with torch.no_grad():
        expected = module.eval()(**given)
    inputs = {k: trtnet.Input(tuple(x.shape), None if x.is_floating_point() else "int64") for k, x in given.items()}
    network = trtnet.define(module, inputs)
    found = network.reference()(**given)
    assert found.shape == expected.shape and relative_l2(torch.as_tensor(found), expected) <= 1e-5
    return network


BOXES: dict[str, Callable[[Any, Any], Any]] = {
    "box_area": lambda ops, x: ops.box_area(x),
    "box_iou": lambda ops, x: ops.box_iou(x, x[1:] + 1.0),
    "generalized_box_iou": lambda ops, x: ops.generalized_box_iou(x, x[1:] + 1.0),
    "distance_box_iou": lambda ops, x: ops.distance_box_iou(x, x[1:] + 1.0),
    "complete_box_iou": lambda ops, x: ops.complete_box_iou(x, x[1:] + 1.0),
    "box_convert": lambda ops, x: ops.box_convert(ops.box_convert(x, "xyxy", "cxcywh"), "cxcywh", "xywh"),
    "clip_boxes_to_image": lambda ops, x: ops.clip_boxes_to_image(x * 2 - 3, (12, 9)),
}


@pytest.mark.parametrize("name", BOXES)
def test_functions_of_boxes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ops = with_operators(monkeypatch).ops
    check(Calling(lambda x: BOXES[name](ops, x)), {"x": boxes(6, 16)})


def layers(ops: Any) -> dict[str, tuple[nn.Module, Given]]:
    image = torch.randn(2, 4, 9, 9)
    return {
        "FrozenBatchNorm2d": (ops.FrozenBatchNorm2d(4), {"x": image}),
        "StochasticDepth": (ops.StochasticDepth(0.5, "row"), {"input": image}),
        "SqueezeExcitation": (ops.SqueezeExcitation(4, 2), {"input": image}),
        "Permute": (ops.Permute([0, 2, 3, 1]), {"x": image}),
        "MLP": (ops.MLP(9, [5, 3], norm_layer=nn.LayerNorm), {"input": image}),
        "Conv2dNormActivation": (ops.Conv2dNormActivation(4, 6), {"input": image}),
        "DeformConv2d": (
            Calling(lambda conv, *given: conv(*given), ops.DeformConv2d(4, 6, 3, padding=1, groups=2)),
            {"x": image, "offset": torch.randn(2, 36, 9, 9), "mask": torch.rand(2, 18, 9, 9)},
        ),
        "RoIAlign": (
            Calling(lambda pool, x, b: pool(x, [b, b[1:]]), ops.RoIAlign((2, 3), 0.5, 2, aligned=True)),
            {"x": image, "boxes": boxes(4, 20)},
        ),
    }  # fmt: skip


NAMES = "FrozenBatchNorm2d StochasticDepth SqueezeExcitation Permute MLP Conv2dNormActivation DeformConv2d RoIAlign"


@pytest.mark.parametrize("name", NAMES.split())
def test_layers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    module, given = layers(with_operators(monkeypatch).ops)[name]
    network = check(module, given)
    if name in ("DeformConv2d", "RoIAlign"):
        network.build()
    if name == "DeformConv2d":
        assert {"members.0.weight", "members.0.bias"} <= network.named


def test_a_pyramid_pools_each_box_at_its_level(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    ops = with_operators(monkeypatch).ops
    pool = ops.MultiScaleRoIAlign(["a", "b", "c"], 3, 2, canonical_scale=64)
    pyramid = ops.FeaturePyramidNetwork([4, 6, 8], 5)

    def pooled(pyramid: Any, pool: Any, a: Any, b: Any, c: Any, boxes: Any) -> Any:
        features = pyramid(OrderedDict(a=a, b=b, c=c))
        return pool(features, [boxes, boxes[2:]], [(256, 256), (256, 256)])

    given = {"a": torch.randn(2, 4, 32, 32), "b": torch.randn(2, 6, 16, 16), "c": torch.randn(2, 8, 8, 8)}
    places = torch.cat([boxes(3, 60), boxes(3, 250), torch.tensor([[0.0, 0, 250, 255]])])
    levels = ops.poolers.LevelMapper(3, 5, canonical_scale=64)([places])
    assert set(levels.tolist()) == {0, 1, 2}
    check(Calling(pooled, pyramid, pool), given | {"boxes": places})


REFUSED: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "roi_pool": (
        lambda ops, x: ops.roi_pool(x, [x[0, 0, :2, :4]], 2),
        "roi_pool of a symbolic tensor: .*; use roi_align",
    ),
    "roi_align": (
        lambda ops, x: ops.roi_align(x, [x[0, 0, :2, :4]], 2),
        "give the number of samples, sampling_ratio=2",
    ),
    "nms": (lambda ops, x: ops.nms(x[0, 0, :, :4], x[0, 0, :, 4], 0.5), r"use ops\.nms or ops\.batched_nms there"),
    "batched_nms": (
        lambda ops, x: ops.batched_nms(x[0, 0, :, :4], x[0, 0, :, 4], x[0, 0, :, 5].long(), 0.5),
        r"use ops\.nms or ops\.batched_nms there",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_network_cannot_do_names_what_it_can(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if "nms" in name and not backend.NO_KERNELS.get(backend.name()):
        pytest.skip("this backend has kernels for it")
    ops = with_operators(monkeypatch).ops
    call, text = REFUSED[name]
    with pytest.raises(trtnet.TrtnetError, match=text):
        trtnet.define(Calling(lambda x: call(ops, x)).eval(), {"x": trtnet.Input((1, 2, 8, 8))})


def test_nms_where_there_are_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    ops = with_operators(monkeypatch).ops
    monkeypatch.setattr(backend, "NO_KERNELS", {})
    module = Calling(lambda b, s: b[ops.nms(b, s, 0.4)]).eval()
    given = {"boxes": boxes(20, 30), "scores": torch.rand(20, generator=torch.Generator().manual_seed(1))}
    network = trtnet.define(module, {k: trtnet.Input(tuple(x.shape)) for k, x in given.items()})
    torch.testing.assert_close(torch.as_tensor(network.reference()(**given)), module(**given))
