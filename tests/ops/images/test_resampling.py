"""Images at other sizes: bytes, sizes by a scale in float64, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from helpers.comparing import network_of

import trtnet
from trtnet import ops
from trtnet.support.errors import LayerError


@pytest.mark.parametrize(
    ("options", "apart"),
    [
        ({"size": (5, 9), "mode": "nearest"}, 0),
        ({"scale_factor": 0.7, "mode": "nearest-exact"}, 0),
        ({"size": (5, 9), "mode": "bilinear"}, 1),
        ({"scale_factor": 2.0, "mode": "bicubic"}, 1),
        ({"size": (5, 4), "mode": "bicubic", "antialias": True}, 1),
        ({"size": (5, 4), "mode": "bilinear", "antialias": True}, 1),
    ],
)
def test_bytes(options: dict[str, Any], apart: int) -> None:
    """torch weighs bytes by 16-bit weights, and may be one apart from the rounded result."""
    x = torch.randint(0, 256, (1, 3, 8, 7), generator=torch.Generator().manual_seed(3), dtype=torch.uint8)
    network = network_of(lambda x: ops.interpolate(x, **options), {"x": trtnet.Input((1, 3, 8, 7), "uint8")})
    found, wanted = network.reference()(x), F.interpolate(x, **options)
    assert found.dtype == torch.uint8 and found.shape == wanted.shape
    assert int((found.int() - wanted.int()).abs().max()) <= apart
    network.build()


@pytest.mark.parametrize("scale", [2, 0.5, 1.55, 1 / 3, 0.1, 1.5, 2.5])
def test_sizes_by_a_scale_are_torchs_where_they_are_dynamic(scale: float) -> None:
    inputs = {"x": trtnet.Input((1, 1, "w"))}
    references = [
        network_of(lambda x, m=mode: ops.interpolate(x, scale_factor=scale, mode=m), inputs).reference()
        for mode in ("nearest", "linear")
    ]
    for size in (10, 20, 60, 63, 100, 333):
        x = torch.arange(float(size)).reshape(1, 1, size)
        for mode, reference in zip(("nearest", "linear"), references, strict=True):
            torch.testing.assert_close(reference(x), F.interpolate(x, scale_factor=scale, mode=mode))


@pytest.mark.parametrize("shape", [(1, 2, 60), (1, 2, 30), (1, 2, 4, 30), (2, 1, 63, 10), (1, 1, 3, 21, 4)])
@pytest.mark.parametrize("scale", [1.05, 0.7, 2.3, 1 / 3])
def test_scales_are_torchs_in_float32(shape: tuple[int, ...], scale: float) -> None:
    """In float32, in which torch computes positions of float32; those in float64 fall on other pixels."""
    x = torch.arange(float(torch.Size(shape).numel())).reshape(shape) % 17
    linear = {3: "linear", 4: "bilinear", 5: "trilinear"}[len(shape)]
    modes = [{"mode": "nearest"}, {"mode": "nearest-exact"}, {"mode": linear}, {"mode": linear, "align_corners": True}]
    modes += [{"mode": linear, "recompute_scale_factor": True}] + [{"mode": "bicubic"}] * (len(shape) == 4)
    for options in modes:
        given = {"scale_factor": scale, **options}
        network = network_of(lambda x, o=given: ops.interpolate(x, **o), {"x": trtnet.Input(shape)})
        torch.testing.assert_close(
            network.reference()(x), F.interpolate(x, **given), atol=1e-4, rtol=1e-5, msg=str(given)
        )


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"scale_factor": 1.05, "mode": "bilinear"}, "torch copies what is too short to grow"),
        ({"scale_factor": 0.7}, "in float64, as torch computes it"),
        ({"size": (4, 5), "mode": "bilinear", "antialias": True}, "antialias needs the size of its input"),
        ({"size": (4, 5), "align_corners": True}, "align_corners is for linear"),
        ({"size": (4, 5), "antialias": True}, "antialias is for bilinear and bicubic"),
        ({"size": (4, 0)}, "a size is 1 or more"),
        ({"size": (4, 5, 6)}, "got 3 numbers for 2 axes"),
        ({"size": 4, "mode": "linear"}, "linear takes 3 dimensions, found 4"),
        ({"size": 4, "mode": "cubic"}, "mode is nearest, nearest-exact, area"),
        ({}, "either size or scale_factor"),
    ],
)
def test_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(LayerError, match=text):
        network_of(lambda x: ops.interpolate(x, **options), {"x": trtnet.Input((1, 3, "h", 7))})


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda x, g: ops.grid_sample(x, g[..., :1]), "the last of 2"),
        (lambda x, g: ops.grid_sample(x[None], g), "of five, the last of 3"),
        (lambda x, g: ops.grid_sample(x[None], g[None], "bicubic"), "takes an image and a grid"),
        (lambda x, g: ops.affine_grid(g[0], (1, 3, 4)), "affine_grid takes theta"),
        (lambda x, g: ops.interpolate(x.int(), 3), "takes floats or uint8, found int32"),
    ],
)
def test_positions_refused(function: Callable[..., Any], text: str) -> None:
    with pytest.raises(LayerError, match=text):
        network_of(function, {"x": trtnet.Input((1, 3, 4, 5)), "g": trtnet.Input((1, 4, 5, 2))})
