"""As many positions as heads: TensorRT-RTX 1.6 confuses them in one product of queries, keys and values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import trtnet

HEADS, DIM = 3, 4
WIDTH = HEADS * DIM


class Attention(nn.Module):
    def __init__(self, forward: Callable[..., Any], bias: bool = True) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias)
        self.function = forward

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(self.qkv(x), x.shape[0], x.shape[1])


def attended(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    return ((q * DIM**-0.5) @ k.transpose(-2, -1)).softmax(-1) @ v


def unbound(y: torch.Tensor, batch: int, length: int) -> torch.Tensor:
    return F.scaled_dot_product_attention(*y.reshape(batch, length, 3, HEADS, DIM).permute(2, 0, 3, 1, 4).unbind(0))


def by_products(y: torch.Tensor, batch: int, length: int) -> torch.Tensor:
    return attended(*y.reshape(batch, length, 3, HEADS, -1).permute(2, 0, 3, 1, 4))


def chunked(y: torch.Tensor, batch: int, length: int) -> torch.Tensor:
    q, k, v = (part.view(batch, length, HEADS, DIM).transpose(1, 2) for part in y.chunk(3, dim=-1))
    return F.scaled_dot_product_attention(q, k, v)


def interleaved(y: torch.Tensor, batch: int, length: int) -> torch.Tensor:
    q, k, v = y.view(batch, length, HEADS, 3 * DIM).permute(0, 2, 1, 3).split(DIM, -1)
    return attended(q, k, v)


def indexed(y: torch.Tensor, batch: int, length: int) -> torch.Tensor:
    parts = y.unflatten(-1, (3, HEADS, DIM)).transpose(1, 3)
    return F.scaled_dot_product_attention(parts[:, :, 0], parts[:, :, 1], parts[:, :, 2])


FORMS = (unbound, by_products, chunked, interleaved, indexed)


def products(network: Any) -> int:
    return sum(network.trt.get_layer(i).type.name == "MATRIX_MULTIPLY" for i in range(network.trt.num_layers))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("form", FORMS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("shape", [(2, HEADS), ("batch", HEADS), ("batch", 5), ("batch", "n")], ids=str)
def test_heads_that_are_confused_are_products_of_their_own(
    shape: tuple[Any, Any], form: Callable[..., Any], bias: bool
) -> None:
    torch.manual_seed(0)
    module = Attention(form, bias).eval()
    network = trtnet.define(module, {"x": trtnet.Input((*shape, WIDTH))})
    length = shape[1] if isinstance(shape[1], int) else HEADS
    x = torch.randn(2, length, WIDTH)
    torch.testing.assert_close(torch.as_tensor(network.reference()(x)), module(x).detach(), rtol=1e-4, atol=1e-5)
    apart = 0 if shape[1] != HEADS else (2 if form in (by_products, interleaved) else 3)
    right = trtnet.define(module, {"x": trtnet.Input((2, 5, WIDTH))})
    assert products(network) == products(right) + apart
    assert network.named >= {"qkv.weight"}


def test_such_a_network_builds() -> None:
    network = trtnet.define(Attention(chunked).eval(), {"x": trtnet.Input(("batch", HEADS, WIDTH))})
    assert network.build({"batch": (1, 2, 4)}).inputs[0].shape == ("batch", HEADS, WIDTH)
