"""The layers of latent diffusion, with the names of diffusers: residual blocks, attention, half and twice the size."""

from collections.abc import Sequence

import numpy as np

import trtnet
from trtnet import nn, ops


class Timesteps(nn.Module):
    """timestep [batch] -> cos and sin of timestep * 10000^(-2i / width), [batch, width] float32."""

    def __init__(self, width: int) -> None:
        self.frequencies = (10000.0 ** (-np.arange(width // 2) / (width // 2))).astype(np.float32)

    def forward(self, timestep: trtnet.Tensor) -> trtnet.Tensor:
        angles = timestep.float().unsqueeze(1) * self.frequencies
        return ops.cat([ops.cos(angles), ops.sin(angles)], 1)


class TimestepEmbedding(nn.Module):
    """Two linear layers with SiLU between them."""

    def __init__(self, width: int, inner: int) -> None:
        self.linear_1, self.linear_2 = nn.Linear(width, inner), nn.Linear(inner, inner)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return self.linear_2(ops.silu(self.linear_1(x)))


class ResnetBlock2D(nn.Module):
    """Twice: group norm, SiLU, convolution; the time is added between them. time: its width, 0 for none."""

    def __init__(self, width: int, out: int, groups: int, eps: float, time: int = 0) -> None:
        self.norm1, self.conv1 = nn.GroupNorm(groups, width, eps), nn.Conv2d(width, out, 3, padding=1)
        self.norm2, self.conv2 = nn.GroupNorm(groups, out, eps), nn.Conv2d(out, out, 3, padding=1)
        if time:
            self.time_emb_proj = nn.Linear(time, out)
        self.conv_shortcut = nn.Identity() if width == out else nn.Conv2d(width, out, 1)

    def forward(self, x: trtnet.Tensor, time: trtnet.Tensor | None = None) -> trtnet.Tensor:
        y = self.conv1(ops.silu(self.norm1(x)))
        if time is not None:
            y = y + self.time_emb_proj(time)[:, :, None, None]
        return self.conv_shortcut(x) + self.conv2(ops.silu(self.norm2(y)))


class Attention(nn.Module):
    """Of x [batch, length, width] to `states` [batch, other length, other width]. bias: of queries, keys and values."""

    def __init__(self, width: int, heads: int, states: int, bias: bool = False) -> None:
        self.heads = heads
        self.to_q = nn.Linear(width, width, bias)
        self.to_k, self.to_v = nn.Linear(states, width, bias), nn.Linear(states, width, bias)
        self.to_out = nn.Sequential(nn.Linear(width, width), nn.Dropout())

    def forward(self, x: trtnet.Tensor, states: trtnet.Tensor) -> trtnet.Tensor:
        parts = (self.to_q(x), self.to_k(states), self.to_v(states))
        query, key, value = (nn.split_heads(part, self.heads) for part in parts)
        return self.to_out(nn.join_heads(ops.scaled_dot_product_attention(query, key, value)))


class GEGLU(nn.Module):
    """A product, gated by GELU of another (Shazeer, 2020)."""

    def __init__(self, width: int, inner: int) -> None:
        self.proj = nn.Linear(width, 2 * inner)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        value, gate = self.proj(x).chunk(2, -1)
        return value * ops.gelu(gate)


class BasicTransformerBlock(nn.Module):
    """Attention to the image, to the text, and a gated perceptron, each after a norm and beside a shortcut."""

    def __init__(self, width: int, heads: int, text: int) -> None:
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.attn1, self.attn2 = Attention(width, heads, width), Attention(width, heads, text)
        layers = nn.Sequential(GEGLU(width, 4 * width), nn.Dropout(), nn.Linear(4 * width, width))
        self.ff = nn.ModuleDict({"net": layers})

    def forward(self, x: trtnet.Tensor, text: trtnet.Tensor) -> trtnet.Tensor:
        y = self.norm1(x)
        x = x + self.attn1(y, y)
        x = x + self.attn2(self.norm2(x), text)
        return x + self.ff["net"](self.norm3(x))


def pixels_of(x: trtnet.Tensor) -> trtnet.Tensor:
    """[batch, width, ...] -> [batch, length, width]."""
    return x.flatten(2).transpose(1, 2)


def image_of(pixels: trtnet.Tensor, like: trtnet.Tensor) -> trtnet.Tensor:
    """The inverse of pixels_of, of the sizes of another image."""
    return pixels.transpose(1, 2).reshape(like.shape)


class Downsample2D(nn.Module):
    """Half the size."""

    def __init__(self, width: int) -> None:
        self.conv = nn.Conv2d(width, width, 3, stride=2, padding=1)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return self.conv(x)


class Upsample2D(nn.Module):
    """Each pixel as many, then a convolution. size: the new height and width; by default twice the old ones."""

    def __init__(self, width: int) -> None:
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: trtnet.Tensor, size: Sequence[int | trtnet.Dim] | None = None) -> trtnet.Tensor:
        return self.conv(ops.interpolate(x, size=size) if size else ops.interpolate(x, scale_factor=2))
