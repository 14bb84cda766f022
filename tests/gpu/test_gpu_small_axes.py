"""Reductions of axes of a few elements before reductions of other axes, in engines of fixed shapes."""

from __future__ import annotations

import pytest
import torch
from helpers.comparing import relative_l2
from helpers.ops.small_axes import FIRST, POINTS, THEN, Chain, Points, Tapped

import trtnet

pytestmark = pytest.mark.gpu
WITHIN = {"float32": 1e-3, "float16": 2e-2}


@pytest.mark.parametrize("dtype", WITHIN)
@pytest.mark.parametrize("channels", [2, 3, 4, 6])
@pytest.mark.parametrize("then", THEN)
@pytest.mark.parametrize("first", FIRST)
def test_a_reduction_behind_one_of_few_channels(first: str, then: str, channels: int, dtype: str) -> None:
    model = Chain(first, then).eval()
    x = torch.randn(2, channels, 8, 12, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = model(x)
    network = trtnet.define(model, {"x": trtnet.Input((2, channels, 8, 12))}, dtype=dtype)
    with network.build() as engine:
        found = engine(x.to(getattr(torch, dtype)).cuda()).float().cpu()
    assert relative_l2(found, expected) <= WITHIN[dtype]


@pytest.mark.parametrize("shape", [(2, 12, 12), (3, 4, 8), (2, 17, 17), (7, 1, 16)], ids=str)
@pytest.mark.parametrize("then", THEN)
@pytest.mark.parametrize("first", FIRST)
def test_a_named_batch_of_one_size(first: str, then: str, shape: tuple[int, int, int]) -> None:
    """TensorRT takes it to be fixed. What is computed first is a result, too."""
    model, x = Tapped(first, then).eval(), torch.randn(2, *shape, generator=torch.Generator().manual_seed(1))
    network = trtnet.define(model, {"x": trtnet.Input(("batch", *shape))}, dtype="float16")
    with network.build({"batch": 2}) as engine:
        found = engine(x.half().cuda())
    for name, expected in model(x).items():
        assert relative_l2(found[name].float().cpu(), expected) <= WITHIN["float16"], name


@pytest.mark.parametrize("dtype", WITHIN)
@pytest.mark.parametrize("shape", [(2, 16, 3), (1, 40, 2), (3, 8, 12, 4)], ids=str)
@pytest.mark.parametrize("first", POINTS)
def test_a_reduction_of_points_behind_one_of_their_coordinates(first: str, shape: tuple[int, ...], dtype: str) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    model = Points(first).eval()
    network = trtnet.define(model, {"x": trtnet.Input(shape)}, dtype=dtype)
    with network.build() as engine:
        found = engine(x.to(getattr(torch, dtype)).cuda()).float().cpu()
    assert relative_l2(found, model(x)) <= WITHIN[dtype]
