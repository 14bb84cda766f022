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
