"""Quantized convolutions and products on a real GPU, beside the reference. tests/conftest.py skips these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.comparing import relative_l2
from helpers.definition.quantized_networks import calibrated
from torch import nn

import trtnet
from trtnet.definition.quantization import NAMED
from trtnet.reference.step import to_numpy

pytestmark = pytest.mark.gpu
TOLERANCES = {"float16": 1e-2, "float32": 1e-3, "bfloat16": 3e-2}
LAYERS: dict[str, tuple[Callable[[bool], nn.Module], tuple[int, ...]]] = {
    "linear": (lambda bias: nn.Linear(256, 128, bias=bias), (40, 256)),
    "3x3": (lambda bias: nn.Conv2d(64, 64, 3, padding=1, bias=bias), (4, 64, 28, 28)),
    "1x1": (lambda bias: nn.Conv2d(64, 128, 1, bias=bias), (4, 64, 28, 28)),
    "stride 2": (lambda bias: nn.Conv2d(64, 96, 3, stride=2, padding=1, bias=bias), (4, 64, 28, 28)),
    "odd channels": (lambda bias: nn.Conv2d(17, 33, 3, padding=1, bias=bias), (2, 17, 20, 20)),
    "groups": (lambda bias: nn.Conv2d(64, 64, 3, padding=1, groups=4, bias=bias), (4, 64, 28, 28)),
    "depthwise": (lambda bias: nn.Conv2d(64, 64, 3, padding=1, groups=64, bias=bias), (4, 64, 28, 28)),
    "transposed": (lambda bias: nn.ConvTranspose2d(64, 32, 2, stride=2, bias=bias), (4, 64, 16, 16)),
    "1-D": (lambda bias: nn.Conv1d(64, 64, 3, padding=1, bias=bias), (4, 64, 100)),
    "3-D": (lambda bias: nn.Conv3d(16, 16, 3, padding=1, bias=bias), (2, 16, 8, 16, 16)),
}


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("scheme", ["fp8", "fp8_channel", "fp8_weights", "int8_weights"])
@pytest.mark.parametrize("layer", LAYERS)
def test_a_quantized_layer_computes_what_the_reference_does(layer: str, scheme: str, bias: bool, dtype: str) -> None:
    torch.manual_seed(0)
    make, shape = LAYERS[layer]
    model = nn.Sequential(make(bias), nn.ReLU()).eval()
    x = torch.randn(shape)
    named = NAMED[scheme]
    assert named is not None
    if named.inputs is not None:
        scales = calibrated(model, {"x": trtnet.Input(shape)}, None, {"x": x.numpy()})
        named = replace(named, input_scale=scales["0.weight"][named.inputs])
    network = trtnet.define(model, {"x": trtnet.Input(shape, dtype)}, dtype=dtype, quantization={"0.weight": named})
    given = x.to(getattr(torch, dtype))
    expected = network.reference()(to_numpy(given))
    found = network.build()(given.cuda()).cpu()
    assert relative_l2(found, np.asarray(expected, np.float32)) < TOLERANCES[dtype]
