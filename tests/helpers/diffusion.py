"""Stable Diffusion's denoiser and decoder in torch, by the names of diffusers, written anew: no small package has them.

`tests/models/test_diffusion.py` compares them with diffusers where that is installed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, interpolate, scaled_dot_product_attention, silu

SD15: dict[str, Any] = {
    "block_out_channels": (320, 640, 1280, 1280), "layers_per_block": 2, "norm_num_groups": 32,
    "cross_attention_dim": 768, "attention_head_dim": 8, "use_linear_projection": False,
}  # fmt: skip
"""Of Stable Diffusion 1.5's `unet/config.json`; the next of its `vae/config.json`."""
SD15_VAE = {"block_out_channels": (128, 256, 512, 512), "layers_per_block": 2, "norm_num_groups": 32}
SMALL = {"block_out_channels": (16, 32), "layers_per_block": 1, "norm_num_groups": 4, "cross_attention_dim": 12}
BLOCKS = {
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"), "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
}  # fmt: skip
FORMS: dict[str, dict[str, Any]] = {
    "like 1.5": {**SMALL, **BLOCKS, "attention_head_dim": 2},
    "like 2.1": {**SMALL, **BLOCKS, "attention_head_dim": (2, 4), "use_linear_projection": True},
}
"""Two blocks each: with attention, and without."""
SMALL_VAE = {"block_out_channels": (8, 16), "layers_per_block": 1, "norm_num_groups": 4}


class Resnet(nn.Module):
    def __init__(self, inner: int, outer: int, groups: int, eps: float, time: int | None) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(groups, inner, eps), nn.GroupNorm(groups, outer, eps)
        self.conv1, self.conv2 = nn.Conv2d(inner, outer, 3, 1, 1), nn.Conv2d(outer, outer, 3, 1, 1)
        if time is not None:
            self.time_emb_proj = nn.Linear(time, outer)
        if inner != outer:
            self.conv_shortcut = nn.Conv2d(inner, outer, 1)

    def forward(self, x: Tensor, time: Tensor | None = None) -> Tensor:
        y = self.conv1(silu(self.norm1(x)))
        if time is not None:
            y += self.time_emb_proj(silu(time)).reshape(*y.shape[:2], 1, 1)
        y = self.conv2(silu(self.norm2(y)))
        return y + (self.conv_shortcut(x) if hasattr(self, "conv_shortcut") else x)


class Attention(nn.Module):
    def __init__(self, width: int, heads: int, states: int, bias: bool = False) -> None:
        super().__init__()
        self.heads = heads
        self.to_q, self.to_k, self.to_v = (nn.Linear(size, width, bias=bias) for size in (width, states, states))
        self.to_out = nn.ModuleList([nn.Linear(width, width)])

    def forward(self, x: Tensor, states: Tensor) -> Tensor:
        each = self.to_q(x), self.to_k(states), self.to_v(states)
        q, k, v = (one.unflatten(-1, (self.heads, -1)).transpose(1, 2) for one in each)
        return self.to_out[0](scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Gated(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Linear(width, 8 * width)

    def forward(self, x: Tensor) -> Tensor:
        y = self.proj(x)
        half = y.shape[-1] // 2
        return y[..., :half] * gelu(y[..., half:])


class Layer(nn.Module):
    def __init__(self, width: int, heads: int, text: int) -> None:
        super().__init__()
        self.norm1, self.norm2, self.norm3 = nn.LayerNorm(width), nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn1, self.attn2 = Attention(width, heads, width), Attention(width, heads, text)
        self.ff = nn.Module()
        self.ff.net = nn.Sequential(Gated(width), nn.Dropout(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor, text: Tensor) -> Tensor:
        normal = self.norm1(x)
        x = x + self.attn1(normal, normal)
        x = x + self.attn2(self.norm2(x), text)
        return x + self.ff.net(self.norm3(x))


class Transformer(nn.Module):
    def __init__(self, width: int, heads: int, text: int, groups: int, linear: bool) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, width, 1e-6)
        self.proj_in, self.proj_out = (
            nn.Linear(width, width) if linear else nn.Conv2d(width, width, 1) for _ in range(2)
        )
        self.transformer_blocks = nn.ModuleList([Layer(width, heads, text)])

    def forward(self, x: Tensor, text: Tensor) -> Tensor:
        linear = isinstance(self.proj_in, nn.Linear)
        y = self.norm(x)
        y = y if linear else self.proj_in(y)
        y = y.flatten(2).mT
        y = self.proj_in(y) if linear else y
        y = self.transformer_blocks[0](y, text)
        y = self.proj_out(y) if linear else y
        y = y.mT.reshape(x.shape)
        return x + (y if linear else self.proj_out(y))


def sampler(width: int, stride: int) -> nn.ModuleList:
    held = nn.Module()
    held.conv = nn.Conv2d(width, width, 3, stride, 1)
    return nn.ModuleList([held])


class UNet(nn.Module):
    """UNet2DConditionModel: (sample, timestep, encoder_hidden_states) -> the noise."""

    def __init__(
        self, block_out_channels: Sequence[int], layers_per_block: int, norm_num_groups: int, cross_attention_dim: int,
        attention_head_dim: int | Sequence[int], use_linear_projection: bool = False, **types: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        widths, count = block_out_channels, len(block_out_channels)
        first, time, groups = widths[0], 4 * widths[0], norm_num_groups
        heads = [attention_head_dim] * count if isinstance(attention_head_dim, int) else attention_head_dim
        self.conv_in = nn.Conv2d(4, first, 3, 1, 1)
        self.time_embedding = nn.ModuleDict({"linear_1": nn.Linear(first, time), "linear_2": nn.Linear(time, time)})

        def block(inner: Sequence[int], place: int, attends: bool, attentions: int) -> nn.Module:
            made, width = nn.Module(), widths[place]
            made.resnets = nn.ModuleList(Resnet(size, width, groups, 1e-5, time) for size in inner)
            if attends:
                each = (width, heads[place], cross_attention_dim, groups, use_linear_projection)
                made.attentions = nn.ModuleList(Transformer(*each) for _ in range(attentions))
            return made

        self.down_blocks, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        before, seen = first, [first]
        for place, width in enumerate(widths):
            inner = [before] + [width] * (layers_per_block - 1)
            self.down_blocks.append(block(inner, place, place < count - 1, layers_per_block))
            seen += [width] * layers_per_block
            if place < count - 1:
                self.down_blocks[-1].downsamplers = sampler(width, 2)
                seen.append(width)
            before = width
        self.mid_block = block([before, before], count - 1, attends=True, attentions=1)
        for place in reversed(range(count)):
            inner = []
            for _ in range(layers_per_block + 1):
                inner.append(before + seen.pop())
                before = widths[place]
            self.up_blocks.append(block(inner, place, place < count - 1, layers_per_block + 1))
            if place > 0:
                self.up_blocks[-1].upsamplers = sampler(before, 1)
        self.conv_norm_out, self.conv_out = nn.GroupNorm(groups, first, 1e-5), nn.Conv2d(first, 4, 3, 1, 1)

    def forward(self, sample: Tensor, timestep: Tensor, encoder_hidden_states: Tensor) -> Tensor:
        text, half = encoder_hidden_states, self.conv_in.out_channels // 2
        places = torch.arange(half, dtype=torch.float32, device=sample.device)
        angles = timestep[:, None].float() * torch.exp(-math.log(10000) * places / half)
        time = torch.cat([angles.cos(), angles.sin()], -1).to(sample.dtype)
        time = self.time_embedding["linear_2"](silu(self.time_embedding["linear_1"](time)))
        x = self.conv_in(sample)
        seen = [x]
        for block in self.down_blocks:
            for i, resnet in enumerate(block.resnets):
                x = resnet(x, time)
                x = block.attentions[i](x, text) if hasattr(block, "attentions") else x
                seen.append(x)
            if hasattr(block, "downsamplers"):
                x = block.downsamplers[0].conv(x)
                seen.append(x)
        x = self.mid_block.resnets[0](x, time)
        x = self.mid_block.resnets[1](self.mid_block.attentions[0](x, text), time)
        for block in self.up_blocks:
            for i, resnet in enumerate(block.resnets):
                x = resnet(torch.cat([x, seen.pop()], 1), time)
                x = block.attentions[i](x, text) if hasattr(block, "attentions") else x
            if hasattr(block, "upsamplers"):
                x = block.upsamplers[0].conv(interpolate(x, size=seen[-1].shape[2:]))
        return self.conv_out(silu(self.conv_norm_out(x)))


class PixelAttention(Attention):
    def __init__(self, width: int, groups: int) -> None:
        super().__init__(width, 1, width, bias=True)
        self.group_norm = nn.GroupNorm(groups, width, 1e-6)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        pixels = self.group_norm(x).flatten(2).mT
        return x + super().forward(pixels, pixels).mT.reshape(x.shape)


class AutoencoderKL(nn.Module):
    """Its decoder: latents divided by the scaling factor -> image. The encoder has one layer, which is not called."""

    def __init__(self, block_out_channels: Sequence[int], layers_per_block: int, norm_num_groups: int) -> None:
        super().__init__()
        widths, groups = block_out_channels[::-1], norm_num_groups
        self.encoder, self.quant_conv = nn.ModuleDict({"conv_in": nn.Conv2d(3, 8, 3)}), nn.Conv2d(8, 8, 1)
        self.post_quant_conv, self.decoder = nn.Conv2d(4, 4, 1), nn.Module()
        self.decoder.conv_in = nn.Conv2d(4, widths[0], 3, 1, 1)
        self.decoder.mid_block, self.decoder.up_blocks = nn.Module(), nn.ModuleList()
        self.decoder.mid_block.attentions = nn.ModuleList([PixelAttention(widths[0], groups)])
        resnets = (Resnet(widths[0], widths[0], groups, 1e-6, None) for _ in range(2))
        self.decoder.mid_block.resnets = nn.ModuleList(resnets)
        before = widths[0]
        for place, width in enumerate(widths):
            block = nn.Module()
            block.resnets = nn.ModuleList()
            for _ in range(layers_per_block + 1):
                block.resnets.append(Resnet(before, width, groups, 1e-6, None))
                before = width
            if place < len(widths) - 1:
                block.upsamplers = sampler(width, 1)
            self.decoder.up_blocks.append(block)
        self.decoder.conv_norm_out = nn.GroupNorm(groups, widths[-1], 1e-6)
        self.decoder.conv_out = nn.Conv2d(widths[-1], 3, 3, 1, 1)

    def forward(self, latents: Tensor) -> Tensor:
        decoder = self.decoder
        x = decoder.conv_in(self.post_quant_conv(latents))
        first, second = decoder.mid_block.resnets
        x = second(decoder.mid_block.attentions[0](first(x)))
        for block in decoder.up_blocks:
            for resnet in block.resnets:
                x = resnet(x)
            if hasattr(block, "upsamplers"):
                x = block.upsamplers[0].conv(interpolate(x, scale_factor=2.0))
        return decoder.conv_out(silu(decoder.conv_norm_out(x)))


def randomized(model: nn.Module, generator: torch.Generator | None = None) -> nn.Module:
    """Weights under which signals stay as large as they are, and norms and biases that matter.

    generator: of the device of the model; by default of the CPU, always the same.
    """
    generator = generator or torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, each in model.named_parameters():
            if each.ndim > 1:
                each.normal_(0, each[0].numel() ** -0.5, generator=generator)
            else:
                each.normal_(1.0 if "norm" in name and name.endswith("weight") else 0.0, 0.1, generator=generator)
    return model.eval()
