"""Detectors, readers of text and CLIP on a real GPU equal the reference, at several sizes.

tests/conftest.py skips them where there is no GPU.
"""

from __future__ import annotations

import pytest
import torch
from helpers import clips
from helpers.comparing import relative_l2
from helpers.originals import randomize
from helpers.pp_ocrs import PAGES, TEXTS, both
from helpers.yolos import IMAGE, SIZE, Dense, published

import trtnet
from trtnet import models
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
