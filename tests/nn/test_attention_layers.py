"""MultiheadAttention beside torch's, at every combination of its arguments."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from helpers.comparing import relative_l2

import trtnet
from trtnet import nn
from trtnet.support.errors import LayerError, ModelError

OPTIONS = [
    {"bias": bias, "add_bias_kv": kv, "add_zero_attn": zero, "batch_first": first, **widths}
    for bias, kv, zero, first, widths in itertools.product(
        (True, False), (True, False), (True, False), (True, False), ({}, {"kdim": 6, "vdim": 4})
    )
]


class Attending(nn.Module):
    def __init__(self, options: dict[str, Any], arguments: dict[str, Any], masks: dict[str, Any]) -> None:
        self.attention = nn.MultiheadAttention(8, 2, **options)
        self.arguments, self.masks = arguments, masks

    def forward(self, query: Any, key: Any, value: Any) -> Any:
        output, weights = self.attention(query, key, value, **self.masks, **self.arguments)
        return {"output": output} if weights is None else {"output": output, "weights": weights}


def compare(options: dict[str, Any], arguments: dict[str, Any], masks: dict[str, Any], batched: bool, dynamic: bool):
    theirs = torch.nn.MultiheadAttention(8, 2, **options).eval()
    for value in theirs.state_dict().values():
        value.uniform_(-0.5, 0.5)
    inputs = {}
    for name, length, width in (("query", 3, 8), ("key", 5, theirs.kdim), ("value", 5, theirs.vdim)):
        shape = [2, length, width] if options["batch_first"] else [length, 2, width]
        if not batched:
            shape = [length, width]
        inputs[name] = torch.randn(shape)
    specs = {
        name: trtnet.Input(tuple(f"{'q' if n == 3 else 'k'}" if dynamic and n in (3, 5) else n for n in x.shape))
        for name, x in inputs.items()
    }
    weights = {f"attention.{key}": value for key, value in theirs.state_dict().items()}
    arrays = {name: mask.numpy() for name, mask in masks.items()}
    network = trtnet.define(Attending(options, arguments, arrays), specs, weights)
    with torch.inference_mode():
        output, looked = theirs(*inputs.values(), **arguments, **masks)
    found = network.reference()(*inputs.values())
    outputs = found if isinstance(found, dict) or hasattr(found, "keys") else {"output": found}
    assert relative_l2(outputs["output"], output) <= 2e-6
    if looked is None:
        assert list(network.outputs) == ["output"]
    else:
        assert relative_l2(outputs["weights"], looked) <= 2e-6
    return network


@pytest.mark.parametrize("options", OPTIONS, ids=[str(i) for i in range(len(OPTIONS))])
def test_attention_equals_torchs(options: dict[str, Any]) -> None:
    hidden = torch.triu(torch.ones(3, 5, dtype=torch.bool), 2)
    padded = torch.tensor([[False] * 4 + [True], [False] * 5])
    floating = torch.randn(3, 5)
    heads = torch.randn(4, 3, 5)
    for batched in (True, False):
        for masks in (
            {},
            {"attn_mask": hidden},
            {"attn_mask": floating, "key_padding_mask": padded if batched else padded[0]},
            {"attn_mask": heads if batched else heads[:2]},
        ):
            compare(options, {}, masks, batched, dynamic=False)
    compare(options, {"average_attn_weights": False}, {"attn_mask": hidden}, True, dynamic=False)
    compare(options, {"need_weights": False}, {"key_padding_mask": padded}, True, dynamic=False)
    compare(options, {}, {}, True, dynamic=True)


def test_it_builds_with_added_keys_and_dynamic_lengths() -> None:
    options = {"add_bias_kv": True, "add_zero_attn": True, "batch_first": True}
    compare(options, {}, {}, True, dynamic=True).build({"q": (1, 3, 4), "k": (1, 5, 8)})


def test_causal_attention_with_added_keys() -> None:
    """torch's mask of a causal attention leaves the keys that it adds in sight."""
    options = {"add_bias_kv": True, "add_zero_attn": True, "batch_first": True}
    theirs = torch.nn.MultiheadAttention(8, 2, **options).eval()
    x, mask = torch.randn(2, 4, 8), torch.triu(torch.ones(4, 4, dtype=torch.bool), 1)

    class Causal(nn.Module):
        def __init__(self) -> None:
            self.attention = nn.MultiheadAttention(8, 2, **options)

        def forward(self, x: Any) -> Any:
            return self.attention(x, x, x, is_causal=True)[0]

    weights = {f"attention.{key}": value for key, value in theirs.state_dict().items()}
    network = trtnet.define(Causal(), {"x": trtnet.Input((2, "n", 8))}, weights)
    with torch.inference_mode():
        assert relative_l2(network.reference()(x), theirs(x, x, x, attn_mask=mask)[0]) <= 2e-6


def test_what_it_refuses() -> None:
    with pytest.raises(
        ModelError, match=r"num_heads=3 does not divide embed_dim=8\n  in tests/nn/test_attention_layers\.py"
    ):
        nn.MultiheadAttention(8, 3)
    layer, theirs = nn.MultiheadAttention(8, 2), torch.nn.MultiheadAttention(8, 2)
    shape = {name: trtnet.Input((5, 8)) for name in ("query", "key")}
    with pytest.raises(LayerError, match="takes three inputs of 3 dimensions, or of 2 without a batch, found 2, 2, 3"):
        trtnet.define(layer, {**shape, "value": trtnet.Input((5, 1, 8))}, theirs)
    with pytest.raises(LayerError, match="value has a width of 8, found 4"):
        trtnet.define(layer, {**shape, "value": trtnet.Input((5, 4))}, theirs)


@pytest.mark.parametrize(("length", "products"), [(2, 3), (3, 1), ("s", 1)])
def test_as_many_positions_as_heads_are_products_of_their_own(length: int | str, products: int) -> None:
    """TensorRT-RTX 1.6 computes wrong numbers of one product then: tests/gpu/test_gpu_attention.py."""
    torch.manual_seed(0)
    original = torch.nn.MultiheadAttention(8, 2, batch_first=True).eval()

    class Own(nn.MultiheadAttention):
        def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
            return super().forward(x, x, x, need_weights=False)[0]

    network = trtnet.define(Own(8, 2, batch_first=True), {"x": trtnet.Input((3, length, 8))}, original)
    x = torch.randn(3, 2 if length == "s" else int(length), 8)
    torch.testing.assert_close(network.reference()(x), original(x, x, x, need_weights=False)[0])
    layers = [network.trt.get_layer(i).name for i in range(network.trt.num_layers)]
    assert sum("matmul" in name or "linear" in name for name in layers if "out_proj" not in name) == products


def test_split_heads_warns_of_as_many_positions_as_heads(caplog: pytest.LogCaptureFixture) -> None:
    class Split(nn.Module):
        def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
            return nn.split_heads(x, 4)

    trtnet.define(Split(), {"x": trtnet.Input((1, 5, 8))})
    assert "positions" not in caplog.text
    trtnet.define(Split(), {"x": trtnet.Input((1, 4, 8))})
    assert "4 heads of 4 positions" in caplog.text and "test_attention_layers.py" in caplog.text
