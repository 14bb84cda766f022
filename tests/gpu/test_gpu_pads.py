"""Images that grow behind a convolution, in engines of fixed and of dynamic shapes. tests/conftest.py skips these."""

from __future__ import annotations

import pytest
import torch
from helpers.comparing import relative_l2
from helpers.ops.grown_images import READERS, SIDES, Grown

import trtnet

pytestmark = pytest.mark.gpu
SHAPES = {"fixed": 2, "dynamic": (1, 2, 4)}
WITHIN = {"float32": 1e-4, "float16": 1e-2, "bfloat16": 5e-2}


@pytest.mark.parametrize("dtype", WITHIN)
@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("joined", [False, True], ids=["alone", "joined"])
@pytest.mark.parametrize("reader", READERS)
def test_a_grown_image_behind_a_convolution(reader: str, joined: bool, shapes: str, dtype: str) -> None:
    torch.manual_seed(0)
    model = Grown(reader, joined).eval()
    x = torch.randn(2, 3, 32, 48)
    with torch.inference_mode():
        expected = model(x)
    network = trtnet.define(model, {"x": trtnet.Input(("batch", 3, 32, 48))}, dtype=dtype)
    with network.build({"batch": SHAPES[shapes]}) as engine:
        found = engine(x.to(getattr(torch, dtype)).cuda())
    far = {name: relative_l2(found[name].float().cpu(), y) for name, y in expected.items()}
    assert len(far) == len(SIDES)
    assert {name: distance for name, distance in far.items() if not distance <= WITHIN[dtype]} == {}
