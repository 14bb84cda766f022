"""A profile that promises sizes which the network does not take is an error before anything is built."""

from __future__ import annotations

import numpy as np
import pytest

import trtnet
import trtnet.support.backend
from trtnet import nn, ops
from trtnet.support.errors import ProfileError


class Wide(nn.Module):
    inputs = {"image": trtnet.Input(("batch", 3, "height", 32))}

    def __init__(self) -> None:
        self.conv = nn.Conv2d(3, 4, 11, bias=False)

    def forward(self, image: trtnet.Tensor) -> trtnet.Tensor:
        return ops.relu(self.conv(image)).mean((2, 3))


WEIGHTS = {"conv.weight": np.random.default_rng(0).standard_normal((4, 3, 11, 11)).astype(np.float32)}


@pytest.mark.parametrize(
    ("height", "end", "shape"), [((8, 600, 1200), "min", r"\[1, 3, 8, 32\]"), ((10, 10, 40), "min", "10, 32")]
)
def test_a_size_that_a_layer_does_not_take(height: tuple[int, int, int], end: str, shape: str) -> None:
    network = trtnet.define(Wide(), weights=WEIGHTS)
    text = (
        rf"conv/convolution does not take the profile's {end} shapes: image .*{shape}.*\n  in .*test_shape_check.py:\d+"
    )
    with pytest.raises(ProfileError, match=text):
        network.build({"batch": 1, "height": height})
    network.build({"batch": 1, "height": (11, 20, 40)})


def test_a_profile_may_begin_at_nothing() -> None:
    network = trtnet.define(Wide(), weights=WEIGHTS)
    engine = network.build({"batch": (0, 2, 4), "height": 32})
    assert engine.info.profiles[0]["image"][0] == (0, 3, 32, 32)
    assert network.reference()(np.zeros((0, 3, 32, 32), np.float32)).shape == (0, 4)
    for batch in ((0, 0, 0), (-1, 1, 2), (3, 2, 4)):
        with pytest.raises(ProfileError, match="it must be 0 <= min <= opt <= max, with opt at least 1"):
            network.build({"batch": batch, "height": 32})


@pytest.mark.parametrize(("tf32", "environment", "recorded"), [(True, "0", True), (False, "0", False)])
def test_the_sidecar_says_what_float32_products_are(
    tf32: bool, environment: str, recorded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", environment)
    network = trtnet.define(Wide(), weights=WEIGHTS)
    config = trtnet.BuildConfig(tf32=tf32)
    assert network.build({"batch": 1, "height": 20}, config).info.tf32 is recorded


@pytest.mark.skipif(trtnet.support.backend.name() != "tensorrt_rtx", reason="TensorRT itself does what tf32= says")
def test_tensorrt_rtx_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE")
    assert trtnet.define(Wide(), weights=WEIGHTS).build({"batch": 1, "height": 20}).info.tf32 is True
