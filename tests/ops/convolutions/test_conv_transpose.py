"""Transposed convolutions in the two ways they are written: TensorRT's layer, and a convolution where it has none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.comparing import network_of, random_tensor, relative_l2

import trtnet
from trtnet import nn, ops
from trtnet.support import backend
from trtnet.support.errors import LayerError

WAYS = {"DECONVOLUTION": {}, "CONVOLUTION": {backend.name(): ("STRIDED_GROUPED_DECONVOLUTION",)}}
# kernel, options: torch's and ours
GEOMETRIES = [
    ((4, 2, 3), {"stride": 3}),
    ((4, 3, 2), {"stride": 3, "output_padding": 2}),  # pixels between the windows
    ((4, 2, 3, 2), {"stride": (2, 1), "padding": (1, 0), "output_padding": (1, 0)}),
    ((4, 2, 3, 3), {"stride": 2, "padding": 2, "dilation": 2}),
    ((4, 1, 2, 2), {"stride": 2, "padding": 2}),  # more cropped than the window reaches
    ((4, 2, 2, 3, 1), {"stride": (1, 2, 3), "padding": (0, 1, 0)}),
]


def kinds(network: trtnet.DefinedNetwork) -> set[str]:
    return {network.trt.get_layer(i).type.name for i in range(network.trt.num_layers)}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("shape", "options"), GEOMETRIES)
def test_both_ways_equal_torch(
    shape: tuple[int, ...], options: dict[str, Any], way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "NO_KERNELS", WAYS[way])
    rank = len(shape) - 2
    weight, bias = random_tensor(*shape, seed=1), random_tensor(2 * shape[1], seed=2)
    function, original = getattr(ops, f"conv_transpose{rank}d"), getattr(F, f"conv_transpose{rank}d")
    network = network_of(
        lambda x: function(x, weight.numpy(), bias.numpy(), groups=2, **options),
        {"x": trtnet.Input(("n", 4, *("h", "w", 5)[:rank]))},
    )
    assert way in kinds(network) and len(kinds(network) & set(WAYS)) == 1
    for sizes in ((1, 4, 4, 6, 5), (3, 4, 7, 5, 5)):
        x = random_tensor(*sizes[: rank + 2], seed=3)
        wanted = original(x.double(), weight.double(), bias.double(), groups=2, **options)
        assert relative_l2(network.reference()(x.numpy()), wanted) <= 1e-6


@pytest.mark.skipif(backend.name() != "tensorrt_rtx", reason="TensorRT has bfloat16 deconvolutions")
def test_bfloat16_is_a_convolution_on_tensorrt_rtx_and_its_weights_are_folded() -> None:
    weights = {"weight": np.ones((4, 3, 2, 2), np.float32), "bias": np.ones(3, np.float32)}
    inputs = {"x": trtnet.Input((1, 4, 5, 5))}
    for dtype, kind, folded in (("float32", "DECONVOLUTION", set()), ("bfloat16", "CONVOLUTION", {"weight"})):
        network = trtnet.define(nn.ConvTranspose2d(4, 3, 2, stride=2), inputs, weights, dtype=dtype)
        assert kind in kinds(network) and network.folded == folded


def test_a_wrong_number_of_channels_names_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "NO_KERNELS", WAYS["CONVOLUTION"])
    kernel = torch.ones(4, 1, 2, 2).numpy()
    with pytest.raises(LayerError, match="input with 6 channels, but its kernel has 4"):
        network_of(lambda x: ops.conv_transpose2d(x, kernel, stride=2, groups=2), {"x": trtnet.Input((1, 6, 5, 5))})
