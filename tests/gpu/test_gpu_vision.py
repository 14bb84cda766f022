"""Detectors, readers of text, classifiers and CLIP on a real GPU equal the reference, at several sizes.

tests/conftest.py skips them where there is no GPU.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from helpers import clips
from helpers.comparing import random_weights, relative_l2
from helpers.originals import import_torchvision, randomize
from helpers.packaged import CRNN
from helpers.pp_ocrs import PAGES, TEXTS, both
from helpers.yolos import IMAGE, SIZE, Dense, published

import trtnet
from trtnet import models
from trtnet.models.mtcnn import Net
from trtnet.weights import rules

pytestmark = pytest.mark.gpu
WITHIN = {"float32": 2e-3, "float16": 3e-2}
KINDS = pytest.mark.parametrize("dtype", WITHIN)


@KINDS
@pytest.mark.parametrize("name", ["yolov8n", "yolo11n"])
def test_all_boxes_of_a_yolo(name: str, dtype: str) -> None:
    ours, image = Dense(getattr(models, name)(**SIZE)), IMAGE.to(getattr(torch, dtype))
    network = trtnet.define(ours, weights=published(name), dtype=dtype)
    with network.build() as engine:
        for found, wanted in zip(engine(image.cuda()), network.reference()(image), strict=True):
            assert relative_l2(found.cpu(), wanted) <= WITHIN[dtype]


@pytest.mark.parametrize("name", ["yolov8n", "yolo11n"])
def test_the_boxes_that_a_yolo_keeps(name: str) -> None:
    weights = published(name)
    _, scores = trtnet.define(Dense(getattr(models, name)(**SIZE)), weights=weights).reference()(IMAGE)
    best = scores.amax(1).sort(descending=True).values[10:60]
    widest = int((best[:-1] - best[1:]).argmax())
    least = float(best[widest : widest + 2].mean())  # no box is near it
    network = trtnet.define(getattr(models, name)(**SIZE, least=least, overlap=0.5), weights=weights)
    wanted = network.reference()(IMAGE)
    with network.build() as engine:
        found = {key: x.cpu() for key, x in engine(IMAGE.cuda()).items()}
    count = int(wanted["count"])
    assert int(found["count"]) == count > 1
    assert found["classes"][:count].tolist() == wanted["classes"][:count].tolist()
    assert relative_l2(found["boxes"][:count], wanted["boxes"][:count]) <= WITHIN["float32"]
    assert relative_l2(found["scores"][:count], wanted["scores"][:count]) <= WITHIN["float32"]


@KINDS
def test_clip(dtype: str) -> None:
    original = randomize(clips.CLIP(48, 4, 96, 2, 32, 8, 20, 50))
    sizes = {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4}
    texts = {f"text_{key}": value for key, value in sizes.items()}
    texts |= {"text_vocab_size": 50, "text_max_position_embeddings": 34, "text_eos_token_id": 49}
    ours = models.clip(**sizes, **texts, image_size=32, patch_size=8, projection_dim=20)
    network = trtnet.define(ours, weights=rules("open_clip").apply(original), dtype=dtype)
    generator = torch.Generator().manual_seed(0)
    with network.build({"images": (1, 2, 4), "texts": (1, 3, 8), "length": (1, 9, 34)}) as engine:
        for images, count, length in ((1, 1, 5), (3, 4, 34)):
            image = torch.randn(images, 3, 32, 32, generator=generator).to(getattr(torch, dtype))
            ids = torch.randint(0, 49, (count, length), generator=generator)
            ids[:, length // 2 :: 2] = 49
            found, wanted = engine(image.cuda(), ids.cuda()), network.reference()(image, ids)
            for key, x in wanted.items():
                assert relative_l2(found[key].cpu(), x) <= WITHIN[dtype]


@KINDS
def test_where_a_page_has_text(dtype: str) -> None:
    ours, original = both("detector")
    network = trtnet.define(ours, weights=original, dtype=dtype)
    with network.build({"batch": (1, 1, 2), "height": (32, 64, 96), "width": (32, 96, 128)}) as engine:
        for pages in (PAGES, PAGES[:1, :, :32, :64]):
            image = pages.to(getattr(torch, dtype))
            assert relative_l2(engine(image.cuda()).cpu(), network.reference()(image)) <= WITHIN[dtype]


@KINDS
def test_what_a_line_says(dtype: str) -> None:
    ours, original = both("recognizer")
    network = trtnet.define(ours, weights=original, dtype=dtype)
    with network.build({"batch": (1, 1, 2), "width": (32, 64, 128)}) as engine:
        for lines in (TEXTS, TEXTS[:1, :, :, :40]):
            image = lines.to(getattr(torch, dtype))
            found, wanted = engine(image.cuda()), network.reference()(image)
            assert relative_l2(found["scores"].cpu(), wanted["scores"]) <= WITHIN[dtype]
            if dtype == "float32":
                assert found["characters"].tolist() == wanted["characters"].tolist()


@KINDS
@pytest.mark.parametrize("width", [64, "width"], ids=["fixed", "named"])
def test_the_characters_of_a_line(width: int | str, dtype: str) -> None:
    """Two BiLSTMs over the columns, which a name counts, or a number."""
    inputs = {"image": trtnet.Input(("batch", 1, 48, width))}
    ours = models.crnn(num_classes=9, hidden_size=8, image_width=64)
    network = trtnet.define(ours, inputs, weights=randomize(CRNN(9, 8)), dtype=dtype)
    sizes: dict[str, Any] = {"batch": (1, 2, 3)}
    sizes |= {"width": (32, 64, 96)} if width == "width" else {}
    with network.build(sizes) as engine:
        for batch, columns in ((2, 64), (1, 64)) if width == 64 else ((2, 64), (1, 32), (3, 96)):
            image = torch.randn(batch, 1, 48, columns, generator=torch.Generator().manual_seed(columns))
            given = image.to(getattr(torch, dtype))
            found, wanted = engine(given.cuda()), network.reference()(given)
            assert relative_l2(found["logits"].cpu(), wanted["logits"]) <= WITHIN[dtype]
            likely = found["logits"].cpu().argmax(-1)  # the engine collapses what it found itself
            repeated = torch.nn.functional.pad(likely[:, :-1], (1, 0)) == likely
            assert found["characters"].cpu().tolist() == likely.masked_fill(repeated, 0).tolist()


@KINDS
def test_mobilenet_v2(dtype: str) -> None:
    sizes: dict[str, Any] = {"num_classes": 7, "width_mult": 0.25}
    original = randomize(import_torchvision().models.mobilenet_v2(**sizes))
    network = trtnet.define(models.mobilenet_v2(**sizes, image_size=64), weights=original, dtype=dtype)
    with network.build({"batch": (1, 2, 4)}) as engine:
        for batch in (1, 4):
            image = torch.randn(batch, 3, 64, 64, generator=torch.Generator().manual_seed(batch))
            given = image.to(getattr(torch, dtype))
            assert relative_l2(engine(given.cuda()).cpu(), network.reference()(given)) <= WITHIN[dtype]


STAGES = {
    "pnet": ((3, 10, 16, 32), (3, 3, 3), (2,), 0, (32, 2, 4)),
    "rnet": ((3, 28, 48, 64), (3, 3, 2), (3, 3), 576, (128, 2, 4)),
    "onet": ((3, 32, 64, 64, 128), (3, 3, 3, 2), (3, 3, 2), 1152, (256, 2, 4, 10)),
}
"""Of MTCNN: channels, kernels, pools, the width before the dense layers, and after."""


@KINDS
@pytest.mark.parametrize(("name", "pixels"), [("pnet", 24), ("rnet", 24), ("onet", 48)])
def test_a_stage_of_mtcnn(name: str, pixels: int, dtype: str) -> None:
    ours = Net(*(list(each) if isinstance(each, tuple) else each for each in STAGES[name]))
    inputs = {"x": trtnet.Input(("n", 3, pixels, pixels))}
    network = trtnet.define(ours, inputs, weights=random_weights(ours), dtype=dtype)
    with network.build({"n": (1, 4, 8)}) as engine:
        for count in (1, 8):
            crops = torch.randn(count, 3, pixels, pixels, generator=torch.Generator().manual_seed(count))
            given = crops.to(getattr(torch, dtype))
            for found, wanted in zip(engine(given.cuda()), network.reference()(given), strict=True):
                assert relative_l2(found.cpu(), wanted) <= WITHIN[dtype]


def faces() -> tuple[Any, np.ndarray]:
    """MTCNN with random weights by which it finds four faces, and an image; rounding changes no choice among them."""
    ours = models.mtcnn(height=40, width=56, thresholds=(0.4,) * 3, considered=64, candidates=16, faces=8)
    weights = random_weights(ours, seed=4)
    for key in weights:
        layer, _, number = key.rpartition(".")[0].rpartition("_")
        if number == "1":  # probabilities, apart from each other
            weights[key] = np.array([0, 1], np.float32) if key.endswith("bias") else 3 * weights[key]
        elif layer:
            weights[key] = weights[key] / 5
    colours = np.random.default_rng(4).integers(0, 256, (5, 7, 3))
    return trtnet.define(ours, weights=weights), colours.repeat(8, 0).repeat(8, 1).astype(np.float32)


def test_the_faces_that_mtcnn_finds() -> None:
    network, image = faces()
    wanted = network.reference()(image)
    with network.build() as engine:
        found = engine(image)
    count = int(wanted["count"])
    assert int(found["count"]) == count == 4
    for name in ("boxes", "probabilities", "points"):
        assert relative_l2(found[name][:count], wanted[name][:count]) <= WITHIN["float32"]
