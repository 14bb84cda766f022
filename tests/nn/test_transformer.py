"""Transformer encoders beside torch's, with masks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from helpers.comparing import relative_l2

import trtnet
from trtnet import nn, ops
from trtnet.support.errors import ModelError

FORMS: list[dict[str, Any]] = [
    {},
    {"batch_first": True, "norm_first": True, "activation": "gelu"},
    {"batch_first": True, "bias": False},
]
FUTURE = torch.triu(torch.ones(5, 5), 1) > 0
MASKS: dict[str, dict[str, Any]] = {
    "none": {},
    "bool": {"mask": FUTURE},
    "floating": {"mask": torch.randn(5, 5)},
    "padding": {"src_key_padding_mask": torch.tensor([[0, 0, 0, 1, 1], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0]]) > 0},
}
MASKS["both"] = MASKS["bool"] | MASKS["padding"]
MASKS["floating and padding"] = {"mask": MASKS["floating"]["mask"], "src_key_padding_mask": torch.randn(3, 5)}


@pytest.fixture(autouse=True)
def _without_the_fast_path() -> Iterator[None]:
    """torch's fast path gives NaN for floating masks."""
    torch.backends.mha.set_fastpath_enabled(False)
    yield
    torch.backends.mha.set_fastpath_enabled(True)


class Masked(nn.Module):
    """An encoder of two layers, with masks by name."""

    def __init__(self, names: list[str], is_causal: bool = False, **options: Any) -> None:
        layer = nn.TransformerEncoderLayer(8, 2, 16, **options)
        self.encoder = nn.TransformerEncoder(layer, 2, nn.LayerNorm(8))
        self.names, self.is_causal = names, is_causal

    def forward(self, x: Any, *masks: Any) -> Any:
        return self.encoder(x, **dict(zip(self.names, masks, strict=True)), is_causal=self.is_causal)


def original(**options: Any) -> torch.nn.Module:
    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(8, 2, 16, **options)
    encoder = torch.nn.TransformerEncoder(layer, 2, torch.nn.LayerNorm(8), enable_nested_tensor=False).eval()
    for value in encoder.state_dict().values():
        value.uniform_(-0.5, 0.5)
    return encoder


def weights(theirs: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {f"encoder.{key}": value for key, value in theirs.state_dict().items()}


@pytest.mark.parametrize("options", FORMS, ids=str)
@pytest.mark.parametrize("masks", MASKS)
def test_equals_torch(masks: str, options: dict[str, Any]) -> None:
    theirs, given = original(**options), MASKS[masks]
    specs = {"x": trtnet.Input(("n", 5, 8) if options.get("batch_first") else (5, "n", 8))}
    for name, mask in given.items():
        shape = ("n", 5) if "padding" in name else (5, 5)
        specs[name] = trtnet.Input(shape, "bool" if mask.dtype == torch.bool else "float32")
    network = trtnet.define(Masked(list(given), **options), specs, weights(theirs))
    x = torch.randn(3, 5, 8) if options.get("batch_first") else torch.randn(5, 3, 8)
    with torch.no_grad():
        assert relative_l2(network.reference()(x, *given.values()), theirs(x, **given)) <= 2e-6
    network.build({"n": (1, 3, 4)})


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_16_bit_floats_and_dynamic_length(dtype: str) -> None:
    theirs = original(batch_first=True)
    model = Masked([], is_causal=True, batch_first=True)
    network = trtnet.define(model, {"x": trtnet.Input(("n", "s", 8))}, weights(theirs), dtype=dtype)
    x = torch.randn(3, 5, 8)
    with torch.no_grad():
        found = network.reference()(x.to(getattr(torch, dtype))).float()
        assert relative_l2(found, theirs(x, mask=FUTURE)) <= {"float16": 5e-3, "bfloat16": 4e-2}[dtype]
    network.build({"n": (1, 3, 4), "s": (1, 5, 7)})


def test_activations() -> None:
    assert nn.TransformerEncoderLayer(8, 2, activation=ops.silu).activation is ops.silu
    with pytest.raises(ModelError, match="activation is 'relu', 'gelu' or a function, found 'silu'"):
        nn.TransformerEncoderLayer(8, 2, activation="silu")
