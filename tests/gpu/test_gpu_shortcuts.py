"""Sums beside convolutions, of dynamic sizes, with all kinds of kernels on a GPU. tests/conftest.py skips these."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from helpers.comparing import relative_l2
from helpers.ops.shortcuts import ACTIVATIONS, CONVOLUTIONS, Shortcuts

import trtnet
from trtnet.runtime import EngineOptions

pytestmark = pytest.mark.gpu
MODES = {
    "float32": ("float32", None, 1e-4),
    "float16": ("float16", None, 1e-2),
    "float16, general kernels": ("float16", False, 1e-2),
    "bfloat16, general kernels": ("bfloat16", False, 5e-2),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("convolution", CONVOLUTIONS)
def test_sums_beside_a_convolution(convolution: str, activation: str, mode: str, tmp_path: Path) -> None:
    dtype, specialize, tolerance = MODES[mode]
    torch.manual_seed(0)
    model = Shortcuts(convolution, activation).eval()
    declared = {"x": trtnet.Input(("batch", 3, "height", 24))}
    network = trtnet.define(model, declared, dtype=dtype)
    network.build({"batch": (1, 2, 4), "height": (8, 16, 32)}).save(tmp_path / "engine")
    with trtnet.load(tmp_path / "engine", options=EngineOptions(specialize=specialize)) as engine:
        for batch, height in ((2, 16), (4, 9)):
            x = torch.randn(batch, 3, height, 24)
            with torch.inference_mode():
                expected = model(x)
            found = engine(x.to(getattr(torch, dtype)).cuda())
            far = {name: relative_l2(found[name].float().cpu(), y) for name, y in expected.items()}
            assert {name: distance for name, distance in far.items() if not distance <= tolerance} == {}
