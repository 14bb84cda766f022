"""Small transformers of which some positions are read alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from helpers.ops.made import Made

F = torch.nn.functional
WIDTH, LENGTH, HEADS = 16, 10, 2
Function = Callable[["Net", torch.Tensor], Any]


class Block(torch.nn.Module):
    """A block of a transformer. separate: whether queries have a product of their own."""

    def __init__(self, separate: bool = False) -> None:
        super().__init__()
        self.norm1, self.norm2 = torch.nn.LayerNorm(WIDTH), torch.nn.LayerNorm(WIDTH)
        self.qkv, self.query = torch.nn.Linear(WIDTH, 3 * WIDTH), torch.nn.Linear(WIDTH, WIDTH)
        self.out = torch.nn.Linear(WIDTH, WIDTH)
        self.up, self.down = torch.nn.Linear(WIDTH, 4 * WIDTH), torch.nn.Linear(4 * WIDTH, WIDTH)
        self.gain = torch.nn.Parameter(torch.rand(WIDTH))
        self.separate = separate

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None, causal: bool = False) -> torch.Tensor:
        y = self.norm1(x)
        parts = self.qkv(y).reshape(x.shape[0], x.shape[1], 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        query = self.query(y).reshape(x.shape[0], x.shape[1], HEADS, -1).transpose(1, 2) if self.separate else parts[0]
        y = F.scaled_dot_product_attention(query, parts[1], parts[2], mask, is_causal=causal)
        x = x + self.gain * self.out(y.transpose(1, 2).flatten(2))
        return x + self.gain * self.down(F.gelu(self.up(self.norm2(x))))


class Net(Made):
    """Two blocks and a norm, of which a function makes the model."""

    def __init__(self, made: Function, separate: bool) -> None:
        super().__init__(made)
        self.one, self.two = Block(separate), Block(separate)
        self.norm, self.head = torch.nn.LayerNorm(WIDTH), torch.nn.Linear(WIDTH, 5)
        self.encoder = torch.nn.TransformerEncoderLayer(WIDTH, 4, 3 * WIDTH, batch_first=False)


def class_token(m: Net, x: torch.Tensor) -> torch.Tensor:
    return m.head(m.norm(m.two(m.one(x)))[:, 0])


def masked(m: Net, x: torch.Tensor) -> torch.Tensor:
    seen = (torch.arange(LENGTH) < LENGTH - 2)[None]
    return m.head(m.norm(m.two(m.one(x), seen))[:, 0])


def two_tokens(m: Net, x: torch.Tensor) -> torch.Tensor:
    first, second = m.head(m.norm(m.two(m.one(x)))[:, :2]).unbind(1)
    return (first + second) / 2


def last_token(m: Net, x: torch.Tensor) -> torch.Tensor:
    return m.head(m.two(m.one(x))[:, -1])


def logits_of_the_last(m: Net, x: torch.Tensor) -> torch.Tensor:
    return m.head(m.one(x))[:, -1]


def beside_positions(m: Net, x: torch.Tensor) -> torch.Tensor:
    return m.head((m.two(m.one(x)) + torch.arange(LENGTH * WIDTH).reshape(1, LENGTH, WIDTH) / 100)[:, 3])


def batch_second(m: Net, x: torch.Tensor) -> torch.Tensor:
    return m.head(m.encoder(x.transpose(0, 1))[0])


MODELS: dict[str, Function] = {
    made.__name__: made
    for made in (class_token, masked, two_tokens, last_token, logits_of_the_last, beside_positions, batch_second)
}
"""By name."""
