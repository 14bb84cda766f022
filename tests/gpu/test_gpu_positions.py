"""Positions that are computed alone, on a GPU, beside torch. tests/conftest.py skips these without one."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers.comparing import relative_l2
from helpers.ops.position_networks import LENGTH, MODELS, WIDTH, Net

import trtnet

pytestmark = pytest.mark.gpu
WITHIN = {"float32": 1e-4, "float16": 1e-2, "bfloat16": 6e-2}
ATTENTIONS = ("fused", "sums", "reduction")


@pytest.mark.parametrize("dtype", WITHIN)
@pytest.mark.parametrize("sizes", ["fixed", "dynamic"])
@pytest.mark.parametrize("separate", [False, True], ids=["one product", "queries apart"])
@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("made", MODELS)
def test_positions_alone(made: str, attention: str, separate: bool, sizes: str, dtype: str) -> None:
    torch.manual_seed(0)
    model = Net(MODELS[made], separate).eval()
    batch: Any = "n" if sizes == "dynamic" else 3
    forms = {"positions": "alone", "decoding": attention}
    network = trtnet.define(model, {"x": trtnet.Input((batch, LENGTH, WIDTH))}, dtype=dtype, forms=forms)
    with network.build({"n": (1, 2, 3)} if sizes == "dynamic" else {}) as engine:
        x = torch.randn(3, LENGTH, WIDTH)
        with torch.inference_mode():
            expected = model(x)
        assert relative_l2(engine(x.to(getattr(torch, dtype)).cuda()).float().cpu(), expected) <= WITHIN[dtype]
