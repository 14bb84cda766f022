"""torchvision's detectors: their parts as they are, and one whole, equal to torchvision's own results."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.definition.published import agree, flat, randomize
from helpers.definition.torchvision_operators import with_operators
from torch import nn

import trtnet

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "detect.py"
SIZE = 96


class Heads(nn.Module):
    """Backbone and head of a detector of one stage."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.backbone, self.head = model.backbone, model.head

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        return self.head(list(self.backbone(image).values()))


class Stages(nn.Module):
    """Backbone and both heads of a detector of two stages, between which a fixed number of boxes is given."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.backbone, self.rpn_head, self.roi_heads = model.backbone, model.rpn.head, model.roi_heads

    def forward(self, image: torch.Tensor, boxes: torch.Tensor) -> dict[str, Any]:
        features = self.backbone(image)
        objectness, deltas = self.rpn_head(list(features.values()))
        pooled = self.roi_heads.box_roi_pool(features, [boxes, boxes + 1], [tuple(image.shape[-2:])] * 2)
        classes, regression = self.roi_heads.box_predictor(self.roi_heads.box_head(pooled))
        return {"objectness": objectness, "deltas": deltas, "classes": classes, "regression": regression}


def made(name: str, detection: Any) -> nn.Module:
    """The smallest variants, with random weights."""
    nothing = {"weights": None, "weights_backbone": None}
    if name == "fasterrcnn":
        return Stages(detection.fasterrcnn_mobilenet_v3_large_320_fpn(**nothing))
    if name == "ssdlite":
        return Heads(detection.ssdlite320_mobilenet_v3_large(**nothing))
    return Heads({"retinanet": detection.retinanet_resnet50_fpn, "fcos": detection.fcos_resnet50_fpn}[name](**nothing))


@pytest.mark.parametrize("name", ["fasterrcnn", "retinanet", "ssdlite", "fcos"])
def test_backbone_and_heads(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    module = made(name, with_operators(monkeypatch).models.detection).eval()
    given = {"image": torch.rand(2, 3, SIZE, SIZE)}
    if name == "fasterrcnn":
        given["boxes"] = torch.tensor([[3.0, 5, 40, 60], [0, 0, 95, 95], [70, 10, 90, 30], [8, 8, 9, 9]])
    randomize(module, given, by_name=True)
    network = trtnet.define(module, {key: trtnet.Input(tuple(x.shape)) for key, x in given.items()})
    result: dict[str, Any] = {}
    agree(network, module, given, True, "float32", result)
    assert result["ok"], result["reason"]
    assert all(float(x.detach().std()) > 0 for x in flat(module(**given)))


def small(detection: Any) -> Any:
    """A RetinaNet on a small backbone."""
    backbone = detection.backbone_utils.mobilenet_backbone(
        backbone_name="mobilenet_v3_small", weights=None, fpn=True, trainable_layers=0, norm_layer=nn.BatchNorm2d
    )
    sizes = tuple((x, int(x * 1.3), int(x * 1.6)) for x in (16, 32, 64))
    anchors = detection.anchor_utils.AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * len(sizes))
    return detection.RetinaNet(
        backbone, 5, min_size=SIZE, max_size=SIZE, anchor_generator=anchors, topk_candidates=40, detections_per_img=50
    )


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Callable[[Any], Any]]:
    """A RetinaNet, and the example's model that finds boxes with it."""
    detection = with_operators(monkeypatch).models.detection
    torch.manual_seed(1)
    model = small(detection).eval()
    randomize(Heads(model), {"image": torch.randn(2, 3, SIZE, SIZE)}, by_name=True)
    nn.init.normal_(model.head.classification_head.cls_logits.weight, std=0.2)
    nn.init.zeros_(model.head.classification_head.cls_logits.bias)
    return model, runpy.run_path(str(EXAMPLE))["Detector"]


@pytest.mark.parametrize("least", [0.0, 0.3, 0.6])
def test_a_whole_detector_finds_what_torchvision_finds(detector: Any, least: float) -> None:
    model, make = detector
    model.score_thresh = least
    network = trtnet.define(make(model), {"image": trtnet.Input((1, 3, SIZE, SIZE))})
    image = torch.rand(1, 3, SIZE, SIZE)
    with torch.no_grad():
        (expected,) = model([image[0]])
    found = network.reference()(image.numpy())
    count = int(found["count"])
    assert count == len(expected["scores"]) and 0 < count <= 50
    assert found["labels"][:count].tolist() == expected["labels"].tolist()
    torch.testing.assert_close(torch.as_tensor(found["scores"][:count]), expected["scores"], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(torch.as_tensor(found["boxes"][:count]), expected["boxes"], rtol=1e-4, atol=1e-3)


def test_a_whole_detector_builds_ahead_of_time(detector: Any) -> None:
    model, make = detector
    engine = trtnet.build(make(model), {"image": trtnet.Input((1, 3, SIZE, SIZE))})
    assert [(x.name, x.shape) for x in engine.outputs] == [
        ("boxes", (50, 4)), ("scores", (50,)), ("labels", (50,)), ("count", ()),
    ]  # fmt: skip
