"""What transformers are made of: attention, embeddings, rotary positions."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from ops.cases.case import Case, like

from trtnet import ops

RNG = np.random.default_rng(11)
TABLE, BAG_TABLE = RNG.standard_normal((9, 4)), np.random.default_rng(41).standard_normal((5, 4)).astype(np.float32)
ANGLES = RNG.uniform(0, 3, (16, 4))
COS, SIN = np.cos(ANGLES), np.sin(ANGLES)
HEADS, GROUPS = ("n", 4, "s", 8), ("n", 2, "s", 8)


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


def bag(mode: str) -> Case:
    def call(index: Any) -> Any:
        if isinstance(index, torch.Tensor):
            return F.embedding_bag(abs(index), torch.as_tensor(BAG_TABLE), mode=mode)
        return ops.embedding_bag(abs(index), BAG_TABLE, mode=mode)

    return Case(f"embedding_bag {mode}", call, call, (("n", 3),), ("float32",), input_dtypes=("int64",))


TRANSFORMER_CASES = [
    Case("attention", attention(), attention(), (HEADS,) * 3),
    Case("attention causal", attention(is_causal=True), attention(is_causal=True), (HEADS,) * 3),
    Case("attention groups", attention(), attention(), (HEADS, GROUPS, GROUPS)),
    Case("attention scale", attention(scale=0.3), attention(scale=0.3), (HEADS,) * 3),
    Case("attention float mask", attention(), attention(), (HEADS, HEADS, HEADS, ("n", 1, "s", "s"))),
    *(Case(f"rotary {flag}", rotary(flag), rotary(flag), (HEADS,)) for flag in (False, True)),
    Case("embedding", embedding, embedding, (("n", "s"),), ("float32",), input_dtypes=("int64",)),
    *(bag(mode) for mode in ("mean", "sum", "max")),
]  # fmt: skip
