"""YOLOv8 equals ultralytics' where that is installed; its results are the likeliest boxes, apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from helpers import originals
from helpers.comparing import relative_l2

import trtnet
from trtnet import models
from trtnet.models.yolov8 import YOLOv8

SIZE = {"num_classes": 5, "height": 64, "width_pixels": 96}


class Dense(trtnet.nn.Module):
    """All boxes and scores."""

    def __init__(self, model: YOLOv8) -> None:
        self.model, self.dense, self.inputs = model.model, model.dense, model.inputs

    def forward(self, image: trtnet.Tensor) -> Any:
        return self.dense(image)


def weights_of(model: YOLOv8) -> dict[str, np.ndarray]:
    """Random ones under which signals stay as large as they are."""
    rng, found = np.random.default_rng(0), {}
    for path, parameter in model.named_parameters():
        shape = parameter.shape
        if "running_var" in path or (path.endswith("bn.weight")):
            found[path] = np.ones(shape, np.float32)
        else:
            found[path] = rng.normal(0, 1.7 / np.sqrt(np.prod(shape[1:])), shape).astype(np.float32)
    found["model.22.dfl.conv.weight"] = np.arange(16, dtype=np.float32).reshape(1, 16, 1, 1)
    return found


def test_results_are_the_likeliest_boxes_that_do_not_overlap() -> None:
    ours = models.yolov8n(**SIZE, width=0.125, least=0.6, overlap=0.5, boxes=40)
    weights, image = weights_of(ours), np.random.default_rng(1).random((1, 3, 64, 96), np.float32)
    boxes, scores = trtnet.define(Dense(ours), weights=weights).reference()(image)
    assert boxes.shape == (8 * 12 + 4 * 6 + 2 * 3, 4) and scores.shape == (126, 5)
    best, kinds, wanted = scores.max(1), scores.argmax(1), []
    for i in np.argsort(-best, kind="stable"):
        low, high = np.maximum(boxes[i, :2], boxes[wanted, :2]), np.minimum(boxes[i, 2:], boxes[wanted, 2:])
        shared = np.prod((high - low).clip(0), 1)
        areas = [np.prod(boxes[j, 2:] - boxes[j, :2], -1) for j in (i, wanted)]
        rivals = (shared / (areas[0] + areas[1] - shared) > 0.5) & (kinds[wanted] == kinds[i])
        if best[i] > 0.6 and not rivals.any():
            wanted.append(int(i))
    found = trtnet.define(ours, weights=weights).reference()(image)
    count = int(found["count"])
    assert 1 < count == min(40, len(wanted)) < (best > 0.6).sum()
    np.testing.assert_allclose(found["boxes"][:count], boxes[wanted[:40]], atol=1e-4)
    np.testing.assert_allclose(found["scores"][:count], best[wanted[:40]], atol=1e-5)
    assert found["classes"][:count].tolist() == kinds[wanted[:40]].tolist()


def test_all_boxes_are_ultralytics() -> None:
    originals.import_torchvision()
    tasks = pytest.importorskip("ultralytics.nn.tasks", reason="needs the package ultralytics")
    ours = models.yolov8n(**SIZE)
    original = tasks.DetectionModel("yolov8n.yaml", nc=5, verbose=False).eval()
    original.load_state_dict({key: torch.from_numpy(value) for key, value in weights_of(ours).items()}, strict=False)
    image = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        wanted = original(image)[0][0]
    middle, sides = wanted[:2].T, wanted[2:4].T
    boxes, scores = trtnet.define(Dense(ours), weights=original.state_dict()).reference()(image)
    assert relative_l2(boxes, torch.cat([middle - sides / 2, middle + sides / 2], 1)) <= 1e-5
    assert relative_l2(scores, wanted[4:].T) <= 1e-5
