"""Queries, keys and values of one product, moved by one permutation: what is recognized, and what is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from helpers.comparing import relative_l2
from torch import nn

import trtnet
from trtnet.graph.layers.read import read
from trtnet.support.errors import ModelError

TOGETHER = {"heads": "together"}


class Attention(nn.Module):
    def __init__(self, split: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.product, self.split = nn.Linear(8, 48), split

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.scaled_dot_product_attention(*self.split(self.product(torch.cat([x, x + 1], 1))))


def in_chunks(y: torch.Tensor) -> Any:
    return (part.reshape(*part.shape[:2], 2, 8).transpose(1, 2) for part in y.chunk(3, -1))


def in_three(y: torch.Tensor) -> Any:
    return y.reshape(*y.shape[:2], 3, 2, 8).permute(2, 0, 3, 1, 4).unbind(0)


def interleaved(y: torch.Tensor) -> Any:
    return y.reshape(*y.shape[:2], 2, 3, 8).permute(3, 0, 2, 1, 4).unbind(0)


def in_another_order(y: torch.Tensor) -> Any:
    return [*in_three(y)][::-1]


def with_a_change(y: torch.Tensor) -> Any:
    q, k, v = in_three(y)
    return q * 2, k, v


def written(y: torch.Tensor) -> Any:
    q, k, v = in_three(y)
    k[:, :, 0] = 0
    return q, k, v


def of(**cuts: tuple[Any, ...]) -> Callable[[torch.Tensor], Any]:
    """Some positions, samples, heads or columns of query, key and value alone."""

    def split(y: torch.Tensor) -> Any:
        return (part[cuts[name]] if name in cuts else part for name, part in zip("qkv", in_three(y), strict=True))

    return split


EVERY = slice(None)
PARTS = {
    "one query": of(q=(EVERY, EVERY, slice(1))),
    "two queries": of(q=(EVERY, EVERY, slice(2))),
    "some queries": of(q=(EVERY, EVERY, slice(5))),
    "the last query": of(q=(EVERY, EVERY, slice(7, None))),
    "every second query": of(q=(EVERY, EVERY, slice(None, None, 2))),
    "some keys": of(k=(EVERY, EVERY, slice(3)), v=(EVERY, EVERY, slice(3))),
    "two positions": of(**dict.fromkeys("qkv", (EVERY, EVERY, slice(2)))),
    "some positions": of(**dict.fromkeys("qkv", (EVERY, EVERY, slice(5)))),
    "some samples": of(**dict.fromkeys("qkv", (slice(1),))),
    "some samples and positions": of(**dict.fromkeys("qkv", (slice(1), EVERY, slice(4)))),
    "some heads": of(**dict.fromkeys("qkv", (EVERY, slice(1)))),
    "some columns": of(**dict.fromkeys("qkv", (..., slice(4)))),
}
"""Of attention whose product has more: a class token's, a window's."""


def defined(model: nn.Module, shape: tuple[Any, ...] = ("batch", 4, 8)) -> trtnet.Network:
    return trtnet.define(model, {"x": trtnet.Input(shape)}, forms=TOGETHER)


@pytest.mark.parametrize("split", [in_chunks, in_three])
@pytest.mark.parametrize("shape", [("batch", 4, 8), ("batch", "half", 8), (2, 4, 8), (1, 4, 8)])
def test_parts_of_one_product_have_one_permutation(split: Any, shape: tuple[Any, ...]) -> None:
    model = Attention(split).eval()
    network = defined(model, shape)
    assert network.forms.chosen[""]["heads"] == "together"
    x = torch.randn(1 if shape[0] == 1 else 2, 4, 8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert relative_l2(network.reference()(x), model(x)) < 1e-6


@pytest.mark.parametrize("split", [interleaved, in_another_order, with_a_change, written])
def test_other_parts_stay_as_they_are(split: Any) -> None:
    model = Attention(split).eval()
    network = defined(model)
    assert "heads" not in network.forms.chosen.get("", {})
    x = torch.randn(2, 4, 8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert relative_l2(network.reference()(x), model(x)) < 1e-6


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("forms", [TOGETHER, {}], ids=["together", "default"])
@pytest.mark.parametrize("shape", [(2, 4, 8), ("batch", "half", 8)])
@pytest.mark.parametrize("name", PARTS)
def test_what_is_some_of_a_product_is_not_all_of_it(
    name: str, shape: tuple[Any, ...], forms: dict[str, str], dtype: str
) -> None:
    model = Attention(PARTS[name]).eval()
    network = trtnet.define(model, {"x": trtnet.Input(shape)}, dtype=dtype, forms=forms)
    x = torch.randn(2, 4, 8, generator=torch.Generator().manual_seed(0)).half()
    with torch.inference_mode():
        expected = model(x.float())
    found = network.reference()(x.to(getattr(torch, dtype)))
    assert found.shape == expected.shape
    assert relative_l2(found, expected) < {"float32": 1e-6, "float16": 2e-3}[dtype]


def test_as_many_positions_as_heads_of_all_stay_apart() -> None:
    """Two heads each, six in all, which TensorRT would take for positions."""
    with pytest.raises(ModelError, match="'together' of 'heads' applies to no operation"):
        defined(Attention(in_three).eval(), ("batch", 3, 8))


def test_as_many_positions_as_heads_are_products_of_their_own() -> None:
    assert "heads" not in defined(Attention(in_three).eval(), ("batch", 1, 8)).forms.chosen.get("", {})


def test_multi_head_attention_of_torch_is_one_product() -> None:
    model = nn.MultiheadAttention(8, 2, batch_first=True).eval()

    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = model

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.attention(x, x, x, need_weights=False)[0]

    network = defined(Own().eval(), ("batch", "length", 8))
    assert network.forms.chosen["attention"]["heads"] == "together"
    x = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert relative_l2(network.reference()(x), model(x, x, x)[0]) < 1e-5


@pytest.mark.parametrize("forms", [{"bias": "apart"}, {"product": "convolution"}], ids=str)
def test_forms_of_the_product_do_not_hide_heads_that_are_confused(forms: dict[str, str]) -> None:
    """As many positions as heads: queries, keys and values are products of their own, beside that of all."""
    x = trtnet.Input(("batch", 1, 8))
    made, neutral = (trtnet.define(Attention(in_three).eval(), {"x": x}, forms=each) for each in (forms, {}))
    products, own = ([node.kind for node in read(network.trt)].count("MATRIX_MULTIPLY") for network in (made, neutral))
    assert products == own - ("product" in forms)
