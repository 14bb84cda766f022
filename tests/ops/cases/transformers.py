"""The operations transformers are made of: norms, attention, embeddings, rotary positions."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from ops.cases.case import Case, same

from trtnet import ops

RNG = np.random.default_rng(11)
GAIN, SHIFT, TABLE = RNG.standard_normal(6), RNG.standard_normal(6), RNG.standard_normal((9, 4))
ANGLES = RNG.uniform(0, 3, (16, 4))
COS, SIN = np.cos(ANGLES), np.sin(ANGLES)

TOKENS = ("n", "s", 6)
IMAGE = ("n", 6, "h", 5)
HEADS, GROUPS = ("n", 4, "s", 8), ("n", 2, "s", 8)


def like(array: np.ndarray, x: Any) -> Any:
    """A constant in the dtype and of the kind of `x`."""
    return torch.as_tensor(array).to(x.dtype) if isinstance(x, torch.Tensor) else array.astype(x.dtype.numpy)


def layer_norm(x: Any) -> Any:
    arguments = (6,), like(GAIN, x), like(SHIFT, x), 1e-5
    return F.layer_norm(x, *arguments) if isinstance(x, torch.Tensor) else ops.layer_norm(x, *arguments)


def group_norm(x: Any) -> Any:
    function = F.group_norm if isinstance(x, torch.Tensor) else ops.group_norm
    return function(x, 3, like(GAIN, x), like(SHIFT, x), 1e-5)


def instance_norm(x: Any) -> Any:
    if isinstance(x, torch.Tensor):
        return F.instance_norm(x, None, None, like(GAIN, x), like(SHIFT, x))
    return ops.instance_norm(x, None, None, like(GAIN, x), like(SHIFT, x))


def rms_norm(x: Any) -> Any:
    function = F.rms_norm if isinstance(x, torch.Tensor) else ops.rms_norm
    return function(x, (6,), like(GAIN, x), 1e-6)


def attention(**options: Any) -> Any:
    def call(q: Any, k: Any, v: Any, *mask: Any) -> Any:
        if isinstance(q, torch.Tensor):
            arguments = {"enable_gqa": q.shape[1] != k.shape[1], **options}
            return F.scaled_dot_product_attention(q, k, v, *mask, **arguments)
        return ops.scaled_dot_product_attention(q, k, v, *mask, **options)

    return call


def embedding(index: Any) -> Any:
    if isinstance(index, torch.Tensor):
        return F.embedding(index.abs(), torch.as_tensor(TABLE).float())
    return ops.embedding(abs(index), TABLE.astype(np.float32))


def rotary(interleaved: bool) -> Any:
    def call(x: Any) -> Any:
        if not isinstance(x, torch.Tensor):
            ids = ops.arange(x.shape[2]).unsqueeze(0).expand(x.shape[0], -1)
            return ops.rotary_embedding(x, like(COS, x), like(SIN, x), ids, interleaved)
        cos, sin = (like(table, x)[: x.shape[2]] for table in (COS, SIN))
        left, right = (x[..., ::2], x[..., 1::2]) if interleaved else x.chunk(2, -1)
        pair = left * cos - right * sin, right * cos + left * sin
        return torch.stack(pair, -1).flatten(-2) if interleaved else torch.cat(pair, -1)

    return call


def positions(x: Any) -> Any:
    """0, 1, 2, ... for each row, made of a dynamic size."""
    n, s = x.shape[0], x.shape[1]
    if isinstance(x, torch.Tensor):
        return x + torch.arange(s)[None].expand(n, s)
    return x + ops.arange(s).unsqueeze(0).expand(n, s)


def first_of_each(x: Any) -> Any:
    """Element ELEMENT gather, with the smallest index of each row."""
    if isinstance(x, torch.Tensor):
        return x.gather(1, torch.zeros(x.shape[0], 1, dtype=torch.int64))
    return ops.gather(x, 1, x[:, :1].to("int64") * 0)


TRANSFORMER_CASES = [
    Case("layer_norm", layer_norm, layer_norm, (TOKENS,)),
    Case("group_norm", group_norm, group_norm, (IMAGE,)),
    Case("instance_norm", instance_norm, instance_norm, (IMAGE,)),
    Case("rms_norm", rms_norm, rms_norm, (TOKENS,)),
    Case("attention", attention(), attention(), (HEADS,) * 3),
    Case("attention causal", attention(is_causal=True), attention(is_causal=True), (HEADS,) * 3),
    Case("attention groups", attention(), attention(), (HEADS, GROUPS, GROUPS)),
    Case("attention scale", attention(scale=0.3), attention(scale=0.3), (HEADS,) * 3),
    Case("attention float mask", attention(), attention(), (HEADS, HEADS, HEADS, ("n", 1, "s", "s"))),
    *(Case(f"rotary {flag}", rotary(flag), rotary(flag), (HEADS,)) for flag in (False, True)),
    Case("embedding", embedding, embedding, (("n", "s"),), ("float32",), input_dtypes=("int64",)),
    Case("arange", positions, positions, (("n", "s"),), ("float32",), input_dtypes=("int64",)),
    Case("gather", first_of_each, first_of_each, (("n", "s"),)),
    same("scores of heads", lambda x, y: x @ y.mT, HEADS, HEADS),
]
