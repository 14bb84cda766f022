"""Recurrent layers beside torch's, at dynamic length."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers.comparing import relative_l2

import trtnet
from trtnet import nn
from trtnet.support.errors import ModelError

FORMS = [
    {},
    {"num_layers": 2},
    {"bidirectional": True},
    {"num_layers": 2, "bidirectional": True, "batch_first": True},
    {"bias": False},
]


class Recurrent(nn.Module):
    """The layer's output and last states by name."""

    def __init__(self, layer: Any) -> None:
        self.layer = layer

    def forward(self, x: Any, *states: Any) -> Any:
        initial = None if not states else states if len(states) == 2 else states[0]
        output, last = self.layer(x, initial)
        return {"output": output} | dict(zip(("h", "c"), last if isinstance(last, tuple) else (last,), strict=False))


def pair(kind: str, **options: Any) -> tuple[Recurrent, torch.nn.Module, dict[str, torch.Tensor]]:
    torch.manual_seed(0)
    theirs = getattr(torch.nn, kind)(4, 5, **options).eval()
    weights = {f"layer.{key}": value for key, value in theirs.state_dict().items()}
    return Recurrent(getattr(nn, kind)(4, 5, **options)), theirs, weights


def compare(found: Any, wanted: Any, tolerance: float = 2e-6) -> None:
    output, last = wanted
    assert relative_l2(found["output"], output) <= tolerance
    for name, state in zip(("h", "c"), last if isinstance(last, tuple) else (last,), strict=False):
        assert relative_l2(found[name], state) <= tolerance


@pytest.mark.parametrize("options", FORMS, ids=str)
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_equals_torch_at_dynamic_length(kind: str, options: dict[str, Any]) -> None:
    ours, theirs, weights = pair(kind, **options)
    shape = ("n", "t", 4) if options.get("batch_first") else ("t", "n", 4)
    network = trtnet.define(ours, {"x": trtnet.Input(shape)}, weights)
    reference = network.reference()
    with torch.inference_mode():
        for length, batch in ((1, 2), (7, 3)):
            sizes = {"n": batch, "t": length}
            x = torch.randn([sizes.get(s, s) if isinstance(s, str) else s for s in shape])
            compare(reference(x), theirs(x))
    network.build({"t": (1, 5, 9), "n": (1, 2, 4)})


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_16_bit_floats(kind: str, dtype: str) -> None:
    ours, theirs, weights = pair(kind)
    network = trtnet.define(ours, {"x": trtnet.Input(("t", "n", 4))}, weights, dtype=dtype)
    x = torch.randn(6, 2, 4)
    with torch.inference_mode():
        found = {key: value.float() for key, value in network.reference()(x.to(getattr(torch, dtype))).items()}
        compare(found, theirs(x), {"float16": 4e-3, "bfloat16": 3e-2}[dtype])
    network.build({"t": (1, 5, 9), "n": (1, 2, 4)})


def test_given_states() -> None:
    for kind in ("LSTM", "GRU"):
        ours, theirs, weights = pair(kind, num_layers=2)
        states = [torch.randn(2, 3, 5) for _ in range(2 if kind == "LSTM" else 1)]
        specs = {"x": trtnet.Input(("t", 3, 4))} | {f"s{i}": trtnet.Input((2, 3, 5)) for i in range(len(states))}
        network = trtnet.define(ours, specs, weights)
        x = torch.randn(6, 3, 4)
        with torch.inference_mode():
            compare(network.reference()(x, *states), theirs(x, tuple(states) if kind == "LSTM" else states[0]))


def test_projection_and_no_batch() -> None:
    ours, theirs, weights = pair("LSTM", proj_size=3, bidirectional=True)
    network = trtnet.define(ours, {"x": trtnet.Input(("t", 4))}, weights)
    x = torch.randn(6, 4)
    with torch.inference_mode():
        compare(network.reference()(x), theirs(x))
    network.build({"t": (1, 5, 9)})


def test_relu_cells() -> None:
    ours, theirs, weights = pair("RNN", nonlinearity="relu")
    network = trtnet.define(ours, {"x": trtnet.Input(("t", 2, 4))}, weights)
    x = torch.randn(6, 2, 4)
    with torch.inference_mode():
        compare(network.reference()(x), theirs(x))
    with pytest.raises(ModelError, match="nonlinearity is 'tanh' or 'relu', found 'gelu'"):
        nn.RNN(4, 5, nonlinearity="gelu")
