"""The YOLOs equal their published architectures, and ultralytics' where it is installed; boxes are kept apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from helpers import originals
from helpers.comparing import relative_l2
from helpers.yolos import IMAGE, SIZE, Dense, published, randomized

import trtnet
from trtnet import models

NAMES = ("yolov8n", "yolo11n")


def assert_dense_is(found: tuple[Any, Any], wanted: torch.Tensor, within: float = 1e-5) -> None:
    """wanted: [4 + classes, places], the middle and the size of boxes."""
    middle, sides = wanted[:2].T, wanted[2:4].T
    boxes, scores = found
    assert relative_l2(boxes, torch.cat([middle - sides / 2, middle + sides / 2], 1)) <= within
    assert relative_l2(scores, wanted[4:].T) <= within


@pytest.mark.parametrize("name", NAMES)
def test_all_boxes_are_those_of_the_published_architecture(name: str) -> None:
    ours, original = getattr(models, name)(**SIZE), published(name)
    with torch.inference_mode():
        wanted = original(IMAGE)[0]
    assert_dense_is(trtnet.define(Dense(ours), weights=original).reference()(IMAGE), wanted)
    half = trtnet.define(Dense(ours), weights=original, dtype="float16").reference()(IMAGE.half())
    assert [x.dtype for x in half] == [torch.float32, torch.float16]
    assert_dense_is(half, wanted, 2e-2)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("name", NAMES)
def test_the_whole_network_builds(name: str, dtype: str) -> None:
    plan = trtnet.define(getattr(models, name)(**SIZE), weights=published(name), dtype=dtype).build().plan
    assert [output.name for output in plan.info.outputs] == ["boxes", "scores", "classes", "count"]


@pytest.mark.parametrize("name", NAMES)
def test_results_are_the_likeliest_boxes_that_do_not_overlap(name: str) -> None:
    ours, weights = getattr(models, name)(**SIZE, least=0.6, overlap=0.5, boxes=40), published(name)
    boxes, scores = (x.numpy() for x in trtnet.define(Dense(ours), weights=weights).reference()(IMAGE))
    assert boxes.shape == (8 * 12 + 4 * 6 + 2 * 3, 4) and scores.shape == (126, 5)
    best, kinds, wanted = scores.max(1), scores.argmax(1), []
    for i in np.argsort(-best, kind="stable"):
        low, high = np.maximum(boxes[i, :2], boxes[wanted, :2]), np.minimum(boxes[i, 2:], boxes[wanted, 2:])
        shared = np.prod((high - low).clip(0), 1)
        areas = [np.prod(boxes[j, 2:] - boxes[j, :2], -1) for j in (i, wanted)]
        rivals = (shared / (areas[0] + areas[1] - shared) > 0.5) & (kinds[wanted] == kinds[i])
        if best[i] > 0.6 and not rivals.any():
            wanted.append(int(i))
    found = {key: x.numpy() for key, x in trtnet.define(ours, weights=weights).reference()(IMAGE).items()}
    count = int(found["count"])
    assert 1 < count == min(40, len(wanted)) < (best > 0.6).sum()
    np.testing.assert_allclose(found["boxes"][:count], boxes[wanted[:40]], atol=1e-4)
    np.testing.assert_allclose(found["scores"][:count], best[wanted[:40]], atol=1e-5)
    assert found["classes"][:count].tolist() == kinds[wanted[:40]].tolist()


LARGE = {"max_channels": 512, "c3k": True}
PUBLISHED: dict[str, tuple[str, dict[str, Any]]] = {
    "yolov8n": ("yolov8n", {}),
    "yolov8m": ("yolov8n", {"depth": 2 / 3, "width": 0.75, "max_channels": 768}),
    "yolo11n": ("yolo11n", {}),
    "yolo11s": ("yolo11n", {"width": 0.5}),
    "yolo11m": ("yolo11n", {"width": 1.0, **LARGE}),
    "yolo11l": ("yolo11n", {"depth": 1.0, "width": 1.0, **LARGE}),
    "yolo11x": ("yolo11n", {"depth": 1.0, "width": 1.5, **LARGE}),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_all_boxes_are_ultralytics(name: str) -> None:
    originals.import_torchvision()
    tasks = pytest.importorskip("ultralytics.nn.tasks", reason="needs the package ultralytics")
    factory, fields = PUBLISHED[name]
    ours = getattr(models, factory)(**SIZE, **fields)
    original = randomized(tasks.DetectionModel(f"{name}.yaml", nc=5, verbose=False))
    with torch.inference_mode():
        wanted = original(IMAGE)[0][0]
    assert_dense_is(trtnet.define(Dense(ours), weights=original.state_dict()).reference()(IMAGE), wanted)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"height": 33}, "height is 33; it is a multiple of 32, at least 32"),
        ({"width_pixels": 0}, "width_pixels is 0; it is a multiple of 32"),
        ({"least": float("nan")}, "least is nan; it is from 0 to 1"),
        ({"overlap": -1}, "overlap is -1.*; it is from 0 to 1"),
        ({"considered": 0}, "considered is 0; it is at least 1"),
        ({"num_classes": 0}, "num_classes is 0; it is at least 1"),
        ({"width": 0}, "width is 0.*; it is above 0"),
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_values_out_of_range(name: str, fields: dict[str, Any], says: str) -> None:
    with pytest.raises(trtnet.InputError, match=says):
        getattr(models, name)(**fields)
