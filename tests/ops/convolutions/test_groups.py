"""Groups of eight channels with a dynamic batch are given to TensorRT-RTX as other groups, which it computes right."""

from __future__ import annotations

import pytest
import torch
from helpers.comparing import relative_l2
from torch import nn

import trtnet
from trtnet.graph.layers.read import read
from trtnet.support import backend


@pytest.mark.skipif(backend.name() != "tensorrt_rtx", reason="the fault is TensorRT-RTX's")
@pytest.mark.parametrize(
    ("channels", "width", "batch", "dtype", "groups"),
    [
        (208, 8, "batch", "float16", 13), (104, 8, "batch", "float16", 1), (208, 8, "batch", "bfloat16", 13),
        (208, 8, 2, "float16", 26), (208, 8, "batch", "float32", 26), (256, 8, "batch", "float16", 32),
        (208, 16, "batch", "float16", 13), (208, 4, "batch", "float16", 52), (208, 1, "batch", "float16", 208),
    ],
)  # fmt: skip
def test_groups_of_eight(channels: int, width: int, batch: int | str, dtype: str, groups: int) -> None:
    torch.manual_seed(0)
    module = nn.Conv2d(channels, channels, 3, padding=1, groups=channels // width).eval()
    network = trtnet.define(module, {"x": trtnet.Input((batch, channels, 5, 5))}, dtype=dtype)
    (layer,) = (node.layer for node in read(network.trt) if node.kind == "CONVOLUTION")
    assert layer.num_groups == groups
    form = "convolution" if groups == channels // width else "dense" if groups == 1 else "blocks"
    assert network.forms.chosen[""]["grouped"] == form
    x = torch.randn(2, channels, 5, 5).to(getattr(torch, dtype))
    with torch.inference_mode():
        assert relative_l2(network.reference()(x).float(), module(x.float())) < (1e-5 if dtype == "float32" else 1e-2)
