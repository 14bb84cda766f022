"""A convolution beside its own result, moved to where it was, in engines of fixed shapes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers.comparing import relative_l2
from helpers.ops.unmoved import EXPRESSIONS, IMAGES, Beside, Small

import trtnet

pytestmark = pytest.mark.gpu
WITHIN = {"float32": 1e-4, "float16": 1e-2, "bfloat16": 5e-2}
BATCHES = {"fixed": 2, "dynamic": (1, 2, 4)}


def distances(model: Any, image: tuple[int, int, int], dtype: str, batches: Any) -> dict[str, float]:
    x = torch.randn(2, *image, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = model(x)
    network = trtnet.define(model, {"x": trtnet.Input(("batch", *image))}, dtype=dtype)
    with network.build({"batch": batches}) as engine:
        found = engine(x.to(getattr(torch, dtype)).cuda())
    named = found if isinstance(found, dict) else {"y": found}
    return {name: relative_l2(named[name].float().cpu(), y) for name, y in expected.items()}


@pytest.mark.parametrize("dtype", WITHIN)
@pytest.mark.parametrize("batches", BATCHES)
@pytest.mark.parametrize("groups", [1, 4])
def test_beside_itself(groups: int, batches: str, dtype: str) -> None:
    torch.manual_seed(0)
    far = distances(Beside(groups).eval(), (4, 12, 20), dtype, BATCHES[batches])
    assert len(far) == len(EXPRESSIONS)
    assert {name: distance for name, distance in far.items() if not distance <= WITHIN[dtype]} == {}


@pytest.mark.parametrize("dtype", WITHIN)
@pytest.mark.parametrize("image", IMAGES)
def test_small_images(image: str, dtype: str) -> None:
    torch.manual_seed(0)
    assert distances(Small(IMAGES[image]).eval(), IMAGES[image], dtype, 2)["y"] <= WITHIN[dtype]
