"""Reductions of a few channels are along the last axis, for engines of TensorRT-RTX of fixed shapes."""

from __future__ import annotations

import pytest
import torch
from helpers.comparing import relative_l2
from helpers.ops.small_axes import FIRST, THEN, Chain

import trtnet
from trtnet.graph.layers.read import read
from trtnet.support import backend


@pytest.mark.parametrize("first", FIRST)
def test_a_reduction_behind_one_of_a_few_channels(first: str) -> None:
    for then in THEN:
        model = Chain(first, then).eval()
        network = trtnet.define(model, {"x": trtnet.Input((2, 3, 8, 12))})
        x = torch.randn(2, 3, 8, 12, generator=torch.Generator().manual_seed(0))
        assert relative_l2(network.reference()(x), model(x)) < 1e-5
        assert network.build().plan.data


@pytest.mark.parametrize(
    ("shape", "is_turned"), [((2, 3, 8, 12), True), (("n", 3, 8, 12), False), ((2, 8, 3, 3), False)]
)
def test_only_small_axes_of_known_sizes_are_turned(shape: tuple[int | str, ...], is_turned: bool) -> None:
    model = Chain("largest", "mean").eval()
    network = trtnet.define(model, {"x": trtnet.Input(shape)})
    first = next(node.layer for node in read(network.trt) if node.kind == "REDUCE")
    is_last = first.axes == 1 << 3
    assert is_last == (is_turned and backend.name() == "tensorrt_rtx")
