"""Attention: masked keys never win, a query that sees no key gets zeros, every form says the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.comparing import network_of, random_tensor, relative_l2

import trtnet
from trtnet import nn, ops
from trtnet.support.errors import LayerError

FORMS = ["fused", "products"]


def defined(function: Callable[..., Any], *inputs: torch.Tensor, form: str = "fused") -> Any:
    specs = {f"x{i}": trtnet.Input(tuple(x.shape), str(x.dtype)[6:]) for i, x in enumerate(inputs)}

    class Model(nn.Module):
        def forward(self, *x: Any) -> Any:
            return function(*x)

    return trtnet.define(Model(), specs, {}, forms={"attention": form, "decoding": form})


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("floating", [False, True])
def test_keys_masked_away_never_win(form: str, floating: bool) -> None:
    """Allowed scores far below -1e4, which masked ones must stay below."""
    q, k, v = torch.full((1, 1, 2, 8), 100.0), torch.full((1, 1, 3, 8), -100.0), random_tensor(1, 1, 3, 8)
    mask = torch.tensor([[[[True, False, True], [False, False, False]]]])
    if floating:
        mask = torch.where(mask, 0.0, float("-inf"))
    found = defined(ops.scaled_dot_product_attention, q, k, v, mask, form=form).reference()(q, k, v, mask)
    wanted = F.scaled_dot_product_attention(q, k, v, mask)
    torch.testing.assert_close(found, wanted)
    assert (found[0, 0, 1] == 0).all()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("floating", [False, True])
def test_a_mask_and_causal_together(form: str, floating: bool) -> None:
    """torch takes one of them; both are the mask of both, and a query may see nothing by the two of them."""
    q, k, v = (random_tensor(2, 2, 4, 8, seed=i) for i in range(3))
    mask = torch.tensor([False, True, True, True]).expand(4, 4)
    given = torch.where(mask, 0.5, float("-inf")) if floating else mask

    def ours(q: Any, k: Any, v: Any, m: Any) -> Any:
        return ops.scaled_dot_product_attention(q, k, v, m, is_causal=True)

    both = torch.where(mask.tril(), 0.0, float("-inf"))
    found = defined(ours, q, k, v, given, form=form).reference()(q, k, v, given)
    torch.testing.assert_close(found, F.scaled_dot_product_attention(q, k, v, both))


def test_constant_masks_that_blind_no_query_cost_nothing() -> None:
    def kinds(mask: np.ndarray) -> list[str]:
        network = network_of(
            lambda x: ops.scaled_dot_product_attention(x, x, x, mask), {"x": trtnet.Input((1, 2, 4, 8))}
        ).trt
        return [network.get_layer(i).type.name for i in range(network.num_layers)]

    triangle = np.tril(np.ones((4, 4), bool))
    assert "SELECT" not in kinds(triangle) and "SELECT" not in kinds(np.where(triangle, 0, -np.inf).astype(np.float32))
    assert "SELECT" in kinds(triangle & (np.arange(4) > 0))


def test_a_mask_is_asked_once_which_queries_see() -> None:
    def stacked(x: Any, mask: Any) -> Any:
        for _ in range(3):
            x = ops.scaled_dot_product_attention(x, x, x, mask)
        return x

    network = defined(stacked, torch.zeros(1, 2, 9, 8), torch.zeros(1, 1, 1, 9, dtype=torch.bool)).trt
    kinds = [network.get_layer(i).type.name for i in range(network.num_layers)]
    assert kinds.count("REDUCE") == 1 and kinds.count("SELECT") == 3


@pytest.mark.parametrize("form", FORMS)
def test_heads_that_key_heads_broadcast_to(form: str) -> None:
    q, k = random_tensor(2, 1, 3, 8), random_tensor(2, 4, 5, 8, seed=1)
    found = defined(lambda q, k: ops.scaled_dot_product_attention(q, k, k), q, k, form=form).reference()(q, k)
    assert relative_l2(found, F.scaled_dot_product_attention(q, k, k)) < 1e-6


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda q: ops.scaled_dot_product_attention(q, q.int(), q), "of one floating dtype, found float32, int32"),
        (lambda q: ops.scaled_dot_product_attention(q, q, q, q.int()), "mask that is bool or floating, found int32"),
        (lambda q: ops.scaled_dot_product_attention(q[0, 0, 0], q, q), "fewer than two dimensions"),
        (
            lambda q: ops.scaled_dot_product_attention(q, q[:, :2], q[:, :2]),
            "3 query heads are not a multiple of 2 key heads",
        ),
        (
            lambda q: ops.scaled_dot_product_attention(q, q, q[:, :1]),
            "there are as many value heads as key heads, found 1 and 3",
        ),
    ],
)
def test_refused(function: Callable[..., Any], text: str) -> None:
    with pytest.raises(LayerError, match=text):
        network_of(function, {"q": trtnet.Input((1, 3, 4, 8))})
