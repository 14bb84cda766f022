"""Converts a checkpoint with other names and shapes, and compares the network with its original: `python convert.py`.

The checkpoint has separate projections for queries, keys and values; the network has one. No GPU. It prints:

    blocks.0.attention.key.weight, ... -> attention.qkv.weight, ...
    PASS: relative L2 ...
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch.nn.functional import scaled_dot_product_attention

import trtnet
from trtnet import nn, ops, weights
from trtnet.checkpoint import convert

RULES = r"""
about = "separate projections of blocks.0, as one"

[[rules]]
strip_prefix = "blocks.0."

[[rules]]
merge = ['^attention\.query\.(weight|bias)$', 'attention.key.\1', 'attention.value.\1']
to = 'attention.qkv.\1'
"""


class Original(torch.nn.Module):
    """Attention of 4 heads, with a projection for each of queries, keys and values."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value, self.out = (torch.nn.Linear(64, 64) for _ in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (project(x).unflatten(-1, (4, 16)).transpose(1, 2) for project in (self.query, self.key, self.value))
        return self.out(scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Attention(nn.Module):
    """The same with one projection: x [batch, length, 64] -> [batch, length, 64]."""

    def __init__(self) -> None:
        self.qkv = nn.Linear(64, 192)
        self.out = nn.Linear(64, 64)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        q, k, v = (part.unflatten(-1, (4, 16)).transpose(1, 2) for part in self.qkv(x).chunk(3, -1))
        return self.out(ops.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Model(nn.Module):
    """The part of a larger checkpoint that this example uses."""

    inputs = {"x": trtnet.Input(("batch", "length", 64))}

    def __init__(self) -> None:
        self.attention = Attention()

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return self.attention(x)


def main() -> None:
    torch.manual_seed(0)
    original = Original().eval()
    torch.save({f"blocks.0.attention.{key}": value for key, value in original.state_dict().items()}, "old.pth")
    rules = weights.parse_rules(RULES, "example")
    convert(rules.apply("old.pth"), Path("new.safetensors"))
    old, new = (sorted(trtnet.open_checkpoint(file)) for file in ("old.pth", "new.safetensors"))
    print(f"{old[1]}, ... -> {new[-1]}, ...")
    network = trtnet.define(Model(), weights="new.safetensors")
    report = trtnet.compare(network, original, dims={"batch": 2, "length": 10})
    report.raise_if_failed()
    print(f"PASS: relative L2 {report.outputs[0].worst.relative_l2:.1e}")


if __name__ == "__main__":
    main()
