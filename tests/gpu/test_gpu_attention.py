"""Attention where TensorRT-RTX 1.6 computed wrong numbers on an H200: one key, as many positions as heads."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import trtnet
from trtnet import nn, ops

pytestmark = pytest.mark.gpu

LIMITS = {"float32": 1e-3, "float16": 6e-3}


def distance(network: trtnet.DefinedNetwork, *arrays: np.ndarray) -> float:
    expected = network.reference()(*arrays).astype(np.float32)
    found = network.build()(*arrays).astype(np.float32)
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


@pytest.mark.parametrize("dtype", LIMITS)
@pytest.mark.parametrize(("queries", "heads", "width"), [(2, 1, 2), (5, 2, 16), (16, 2, 32), (3, 4, 64)])
def test_several_queries_of_one_key(queries: int, heads: int, width: int, dtype: str) -> None:
    class Attention(nn.Module):
        def forward(self, q: trtnet.Tensor, k: trtnet.Tensor, v: trtnet.Tensor) -> trtnet.Tensor:
            return ops.scaled_dot_product_attention(q, k, v)

    sizes = {"q": queries, "k": 1, "v": 1}
    inputs = {name: trtnet.Input((2, heads, size, width), dtype) for name, size in sizes.items()}
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(spec.shape, np.float32).astype(dtype) for spec in inputs.values()]
    assert distance(trtnet.define(Attention(), inputs, {}, dtype=dtype), *arrays) < LIMITS[dtype]


@pytest.mark.parametrize("dtype", LIMITS)
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("heads", [2, 4, 12])
def test_as_many_positions_as_heads(heads: int, batch_first: bool, dtype: str) -> None:
    torch.manual_seed(0)
    width = 8 * heads
    original = torch.nn.TransformerEncoderLayer(width, heads, 2 * width, batch_first=batch_first).eval()
    model = nn.TransformerEncoderLayer(width, heads, 2 * width, batch_first=batch_first)
    shape = (3, heads, width) if batch_first else (heads, 3, width)
    network = trtnet.define(model, {"x": trtnet.Input(shape, dtype)}, original, dtype=dtype)
    x = np.random.default_rng(0).standard_normal(shape, np.float32).astype(dtype)
    assert distance(network, x) < LIMITS[dtype]


class Merged(torch.nn.Module):
    """A PyTorch module that takes the heads out of one product itself."""

    def __init__(self, heads: int, how: str) -> None:
        super().__init__()
        self.heads, self.how = heads, how
        self.qkv = torch.nn.Linear(8 * heads, 24 * heads)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, width = x.shape
        if self.how == "chunked":
            parts = (part.view(batch, length, self.heads, 8).transpose(1, 2) for part in self.qkv(x).chunk(3, -1))
            y = torch.nn.functional.scaled_dot_product_attention(*parts)
        else:
            q, k, v = self.qkv(x).reshape(batch, length, 3, self.heads, 8).permute(2, 0, 3, 1, 4).unbind(0)
            y = ((q * 8**-0.5) @ k.transpose(-2, -1)).softmax(-1) @ v
        return y.transpose(1, 2).reshape(batch, length, width)


@pytest.mark.parametrize("dtype", LIMITS)
@pytest.mark.parametrize("how", ["chunked", "unbound"])
@pytest.mark.parametrize("heads", [2, 4, 12])
def test_as_many_positions_as_heads_in_a_pytorch_module(heads: int, how: str, dtype: str) -> None:
    torch.manual_seed(0)
    shape = (3, heads, 8 * heads)
    network = trtnet.define(Merged(heads, how).eval(), {"x": trtnet.Input(shape, dtype)}, dtype=dtype)
    x = np.random.default_rng(0).standard_normal(shape, np.float32).astype(dtype)
    assert distance(network, x) < LIMITS[dtype]
