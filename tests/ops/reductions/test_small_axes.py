"""Reductions of axes of a few elements are behind a permutation, for engines of TensorRT-RTX of fixed shapes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers.comparing import Function, relative_l2
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


@pytest.mark.parametrize("call", [lambda t: t - t.mean(-1, keepdim=True), lambda t: t * t.softmax(-1)])
@pytest.mark.parametrize("shape", [(2, 8, 5, 3), (1, 9, 3), (4, 2)])
def test_a_small_last_axis_before_a_reduction_of_another_one(call: Any, shape: tuple[int, ...]) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    network = trtnet.define(Function(lambda x: call(x).amax(0)), {"x": trtnet.Input(shape)}, {})
    assert relative_l2(network.reference()(x), call(x).amax(0)) < 1e-6
    assert network.build().plan.data


@pytest.mark.parametrize(
    ("shape", "axis", "place"),
    [((2, 3, 8, 12), 1, 3), ((2, 8, 12, 3), 3, 0), (("n", 3, 8, 12), 1, 1), ((2, 8, 3, 3), 1, 1)],
)
def test_small_axes_of_known_sizes_are_behind_a_permutation(
    shape: tuple[int | str, ...], axis: int, place: int
) -> None:
    network = trtnet.define(Function(lambda x: x.amax(axis)), {"x": trtnet.Input(shape)}, {})
    first = next(node.layer for node in read(network.trt) if node.kind == "REDUCE")
    assert first.axes == 1 << (place if backend.name() == "tensorrt_rtx" else axis)
