"""MTCNN's pieces equal torch's. tests/models/against_facenet.py compares the whole with facenet-pytorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from helpers.comparing import relative_l2
from helpers.originals import randomize
from torch import nn

import trtnet
from trtnet import models
from trtnet.models.mtcnn import MTCNN, MTCNNConfig, Net, averages

RNG = np.random.default_rng(0)
DETECTOR = MTCNN(MTCNNConfig(height=40, width=60, faces=6))


@pytest.mark.parametrize(("size", "count"), [(40, 24), (17, 24), (64, 5)])
def test_averages_are_those_of_torchs_area(size: int, count: int) -> None:
    image = RNG.normal(size=(2, size, size)).astype(np.float32)
    matrix = averages(size, count)
    wanted = nn.functional.interpolate(torch.from_numpy(image)[None], size=(count, count), mode="area")[0]
    np.testing.assert_allclose(matrix @ image @ matrix.T, wanted, atol=1e-5)


class Crops(trtnet.nn.Module):
    inputs = {"pixels": trtnet.Input((3, 40, 60)), "boxes": trtnet.Input((3, 4))}

    def forward(self, pixels: trtnet.Tensor, boxes: trtnet.Tensor) -> trtnet.Tensor:
        return DETECTOR.crops(pixels, boxes, 24)


def test_crops_of_boxes_are_torchs_also_beyond_the_image() -> None:
    pixels = RNG.uniform(0, 255, (3, 40, 60)).astype(np.float32)
    boxes = np.array([[1.5, 2.7, 20.2, 30.9], [-7.0, -3.2, 12.0, 9.9], [40.3, 20.0, 75.0, 55.0]], np.float32)
    found = trtnet.define(Crops(), weights={}).reference()(pixels, boxes)
    for crop, box in zip(found, boxes, strict=True):
        x, y, right, bottom = (int(n) for n in box)
        part = torch.from_numpy(pixels)[None, :, max(y, 1) - 1 : min(bottom, 40), max(x, 1) - 1 : min(right, 60)]
        wanted = (nn.functional.interpolate(part, size=(24, 24), mode="area")[0] - 127.5) * 0.0078125
        assert relative_l2(crop, wanted.numpy()) <= 1e-5


class Apart(trtnet.nn.Module):
    inputs = {"boxes": trtnet.Input((20, 4)), "scores": trtnet.Input((20,))}

    def forward(self, boxes: trtnet.Tensor, scores: trtnet.Tensor) -> trtnet.Tensor:
        return DETECTOR.apart(boxes, scores)[0]


def test_of_boxes_that_share_most_of_the_smaller_one_the_likeliest_stays() -> None:
    corners, sides = RNG.uniform(0, 40, (20, 2)), RNG.uniform(5, 40, (20, 2))
    boxes, scores = np.hstack([corners, corners + sides]).astype(np.float32), RNG.random(20).astype(np.float32)
    scores[[3, 8]] = -np.inf
    left, wanted = [int(i) for i in np.argsort(-scores) if np.isfinite(scores[i])], []
    area = np.prod(boxes[:, 2:] - boxes[:, :2] + 1, 1)
    while left:
        best, *left = left
        wanted.append(best)
        low, high = np.maximum(boxes[:, :2], boxes[best, :2]), np.minimum(boxes[:, 2:], boxes[best, 2:])
        shared = np.prod((high - low + 1).clip(0), 1) / np.minimum(area, area[best])
        left = [i for i in left if shared[i] <= 0.7]
    found = trtnet.define(Apart(), weights={}).reference()(boxes, scores).tolist()
    assert 2 < len(wanted) < 18 and found == [*wanted, *[-1] * 6][:6]


def candidates(considered: int, most: int) -> dict[str, np.ndarray]:
    """Where each place of an image may be a face."""
    config = {"thresholds": (0.0, 0.0, 0.0), "considered": considered, "candidates": most, "refined": 32, "faces": 32}
    ours = models.mtcnn(height=24, width=28, **config)
    rng = np.random.default_rng(0)
    weights = {key: rng.normal(0, 0.1, p.shape).astype(np.float32) for key, p in ours.named_parameters()}
    return trtnet.define(ours, weights=weights).reference()(rng.uniform(0, 255, (24, 28, 3)).astype(np.float32))


def test_the_detector_says_when_it_leaves_out_boxes() -> None:
    whole = candidates(32, 32)
    assert not whole["full"] and whole["count"] == 4
    for considered, most in ((4, 32), (32, 3)):
        assert candidates(considered, most)["full"]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"height": 19, "width": 60}, "an image of 19 x 60 pixels holds no face of min_face_size=20: enlarge it"),
        ({"factor": 1.0}, r"factor is 1\.0; it is above 0 and below 1"),
        ({"faces": 0}, "faces is 0; it is at least 1"),
    ],
)
def test_what_finds_no_faces(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(trtnet.InputError, match=says):
        models.mtcnn(**fields)


class ONet(nn.Module):
    """As facenet-pytorch writes it."""

    def __init__(self) -> None:
        super().__init__()
        for i, (before, after, kernel) in enumerate([(3, 32, 3), (32, 64, 3), (64, 64, 3), (64, 128, 2)], 1):
            self.add_module(f"conv{i}", nn.Conv2d(before, after, kernel))
            self.add_module(f"prelu{i}", nn.PReLU(after))
        self.dense5, self.prelu5 = nn.Linear(1152, 256), nn.PReLU(256)
        self.dense6_1, self.dense6_2, self.dense6_3 = nn.Linear(256, 2), nn.Linear(256, 4), nn.Linear(256, 10)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        for i, pool in enumerate([3, 3, 2, 0], 1):
            x = self.get_submodule(f"prelu{i}")(self.get_submodule(f"conv{i}")(x))
            x = nn.functional.max_pool2d(x, pool, 2, ceil_mode=True) if pool else x
        x = self.prelu5(self.dense5(x.permute(0, 3, 2, 1).reshape(len(x), -1)))
        return [self.dense6_1(x).softmax(1)[:, 1], self.dense6_2(x), self.dense6_3(x)]


def test_the_last_stage() -> None:
    original = randomize(ONet())
    ours = Net([3, 32, 64, 64, 128], [3, 3, 3, 2], [3, 3, 2], 1152, [256, 2, 4, 10])
    x = torch.randn(2, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    network = trtnet.define(ours, {"x": trtnet.Input((2, 3, 48, 48))}, weights=original)
    with torch.inference_mode():
        for found, wanted in zip(network.reference()(x), original(x), strict=True):
            assert relative_l2(found, wanted) <= 1e-5
