"""CLIP with a vision transformer in torch, as its authors publish it: their names, written anew; small."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Block(nn.Module):
    """A layer of both towers, batch first."""

    def __init__(self, width: int, heads: int, inside: int):
        super().__init__()
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mlp = nn.Sequential()
        self.mlp.add_module("c_fc", nn.Linear(width, inside))
        self.mlp.add_module("gelu", QuickGELU())
        self.mlp.add_module("c_proj", nn.Linear(inside, width))

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, attn_mask=mask, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class QuickGELU(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class Transformer(nn.Module):
    def __init__(self, width: int, heads: int, inside: int, layers: int):
        super().__init__()
        self.resblocks = nn.ModuleList(Block(width, heads, inside) for _ in range(layers))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        for block in self.resblocks:
            x = block(x, mask)
        return x


class VisionTransformer(nn.Module):
    def __init__(self, width: int, heads: int, inside: int, layers: int, size: int, patch: int, dim: int):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, patch, patch, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(width))
        self.positional_embedding = nn.Parameter(torch.randn((size // patch) ** 2 + 1, width))
        self.ln_pre, self.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        self.transformer = Transformer(width, heads, inside, layers)
        self.proj = nn.Parameter(torch.randn(width, dim))

    def forward(self, image: Tensor) -> Tensor:
        patches = self.conv1(image).flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(len(image), 1, -1)
        x = self.ln_pre(torch.cat([first, patches], 1) + self.positional_embedding)
        return self.ln_post(self.transformer(x)[:, 0]) @ self.proj


class CLIP(nn.Module):
    """images and tokens -> logits [images, texts]."""

    def __init__(self, width: int, heads: int, inside: int, layers: int, size: int, patch: int, dim: int, words: int):
        super().__init__()
        self.visual = VisionTransformer(width, heads, inside, layers, size, patch, dim)
        self.transformer = Transformer(width, heads, inside, layers)
        self.token_embedding = nn.Embedding(words, width)
        self.positional_embedding = nn.Parameter(torch.randn(34, width))
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.randn(width, dim))
        self.logit_scale = nn.Parameter(torch.tensor(2.5))

    def forward(self, image: Tensor, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        mask = torch.full((length, length), float("-inf")).triu(1)
        x = self.token_embedding(tokens) + self.positional_embedding[:length]
        states = self.ln_final(self.transformer(x, mask))
        texts = states[torch.arange(len(tokens)), tokens.argmax(1)] @ self.text_projection
        images = self.visual(image)
        normalized = (y / y.norm(dim=1, keepdim=True) for y in (images, texts))
        first, second = normalized
        return self.logit_scale.exp() * first @ second.T
