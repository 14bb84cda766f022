"""Stable Diffusion's denoiser (Rombach et al., "High-resolution image synthesis with latent diffusion models", 2022).

Weight names are those of diffusers' UNet2DConditionModel. Stable Diffusion 1.x and 2.x are the same layers with other
settings, which the config.json of their folder `unet` says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import trtnet
from trtnet import nn, ops
from trtnet.models.diffusion_layers import (
    BasicTransformerBlock,
    Downsample2D,
    ResnetBlock2D,
    TimestepEmbedding,
    Timesteps,
    Upsample2D,
    image_of,
    pixels_of,
)
from trtnet.models.published_diffusers import UNET, Source
from trtnet.support.errors import ModelError


@dataclass(frozen=True)
class UNet2DConditionConfig:
    """The fields of the original's config.json; the defaults are Stable Diffusion 1.5's.

    cross_attention_dim: width of the text's states. attention_head_dim: the **number** of heads, of all blocks or of
    each; the original calls it so. transformer_layers_per_block: of each attention. use_linear_projection: linear
    layers, not convolutions of one pixel, around the transformer.
    """

    in_channels: int = 4
    out_channels: int = 4
    down_block_types: tuple[Literal["CrossAttnDownBlock2D", "DownBlock2D"], ...] = (
        *("CrossAttnDownBlock2D",) * 3, "DownBlock2D",
    )  # fmt: skip
    up_block_types: tuple[Literal["CrossAttnUpBlock2D", "UpBlock2D"], ...] = ("UpBlock2D", *("CrossAttnUpBlock2D",) * 3)
    block_out_channels: tuple[int, ...] = (320, 640, 1280, 1280)
    layers_per_block: int = 2
    norm_num_groups: int = 32
    norm_eps: float = 1e-5
    cross_attention_dim: int = 768
    attention_head_dim: int | tuple[int, ...] = 8
    transformer_layers_per_block: int | tuple[int, ...] = 1
    use_linear_projection: bool = False

    def __post_init__(self) -> None:
        count = len(self.block_out_channels)
        for name in ("down_block_types", "up_block_types", "attention_head_dim", "transformer_layers_per_block"):
            value = getattr(self, name)
            if isinstance(value, tuple) and len(value) != count:
                raise ModelError(f"{name} is {value}; block_out_channels has {count} blocks, so it needs {count}")

    @property
    def heads(self) -> tuple[int, ...]:
        """Of each block."""
        return _each(self.attention_head_dim, len(self.block_out_channels))

    @property
    def depths(self) -> tuple[int, ...]:
        """Transformer layers in each attention of each block."""
        return _each(self.transformer_layers_per_block, len(self.block_out_channels))


def _each(value: int | tuple[int, ...], count: int) -> tuple[int, ...]:
    return (value,) * count if isinstance(value, int) else value


class Transformer2DModel(nn.Module):
    """Transformer blocks over the pixels of x [batch, width, height, width'], beside a shortcut."""

    def __init__(self, config: UNet2DConditionConfig, width: int, heads: int, depth: int) -> None:
        self.is_linear = config.use_linear_projection
        self.norm = nn.GroupNorm(config.norm_num_groups, width, 1e-6)
        self.proj_in, self.proj_out = (
            nn.Linear(width, width) if self.is_linear else nn.Conv2d(width, width, 1) for _ in range(2)
        )
        text = config.cross_attention_dim
        self.transformer_blocks = nn.ModuleList(BasicTransformerBlock(width, heads, text) for _ in range(depth))

    def forward(self, x: trtnet.Tensor, text: trtnet.Tensor) -> trtnet.Tensor:
        y = self.norm(x)
        y = self.proj_in(pixels_of(y)) if self.is_linear else pixels_of(self.proj_in(y))
        for block in self.transformer_blocks:
            y = block(y, text)
        if self.is_linear:
            return image_of(pixels_of(x) + self.proj_out(y), x)
        return x + self.proj_out(image_of(y, x))


class Block2D(nn.Module):
    """Residual blocks, each followed by attention to the text if `attends`.

    widths: of what each residual block gets. out: of what each gives. place: which of the configuration's blocks.
    """

    def __init__(
        self, config: UNet2DConditionConfig, widths: Sequence[int], out: int, place: int, attends: bool
    ) -> None:
        groups, eps, heads, depth = config.norm_num_groups, config.norm_eps, config.heads[place], config.depths[place]
        time = 4 * config.block_out_channels[0]
        self.resnets = nn.ModuleList(ResnetBlock2D(width, out, groups, eps, time) for width in widths)
        if attends:
            self.attentions = nn.ModuleList(Transformer2DModel(config, out, heads, depth) for _ in widths)
        self.attends = attends

    def layer(self, index: int, x: trtnet.Tensor, time: trtnet.Tensor, text: trtnet.Tensor) -> trtnet.Tensor:
        x = self.resnets[index](x, time)
        return self.attentions[index](x, text) if self.attends else x


class DownBlock2D(Block2D):
    """(what half the size gets, what the up blocks get of each layer)."""

    def __init__(self, config: UNet2DConditionConfig, width: int, place: int) -> None:
        out, last = config.block_out_channels[place], len(config.block_out_channels) - 1
        attends = config.down_block_types[place] == "CrossAttnDownBlock2D"
        super().__init__(config, (width, *(out,) * (config.layers_per_block - 1)), out, place, attends)
        self.downsamplers = nn.ModuleList([Downsample2D(out)] if place < last else [])

    def forward(
        self, x: trtnet.Tensor, time: trtnet.Tensor, text: trtnet.Tensor
    ) -> tuple[trtnet.Tensor, list[trtnet.Tensor]]:
        seen = []
        for index in range(len(self.resnets)):
            x = self.layer(index, x, time, text)
            seen.append(x)
        for half in self.downsamplers:
            x = half(x)
            seen.append(x)
        return x, seen


class UNetMidBlock2DCrossAttn(nn.Module):
    """A residual block, attention to the text, another residual block."""

    def __init__(self, config: UNet2DConditionConfig) -> None:
        width, groups, eps = config.block_out_channels[-1], config.norm_num_groups, config.norm_eps
        time = 4 * config.block_out_channels[0]
        self.resnets = nn.ModuleList(ResnetBlock2D(width, width, groups, eps, time) for _ in range(2))
        self.attentions = nn.ModuleList([Transformer2DModel(config, width, config.heads[-1], config.depths[-1])])

    def forward(self, x: trtnet.Tensor, time: trtnet.Tensor, text: trtnet.Tensor) -> trtnet.Tensor:
        return self.resnets[1](self.attentions[0](self.resnets[0](x, time), text), time)


class UpBlock2D(Block2D):
    """With what the down blocks saw at this size, of `widths`, the last first; then twice the size."""

    def __init__(self, config: UNet2DConditionConfig, width: int, widths: Sequence[int], place: int) -> None:
        blocks = len(config.block_out_channels)
        out = config.block_out_channels[blocks - 1 - place]
        attends = config.up_block_types[place] == "CrossAttnUpBlock2D"
        own = (width, *(out,) * (len(widths) - 1))
        joined = [below + skip for below, skip in zip(own, widths, strict=True)]
        super().__init__(config, joined, out, blocks - 1 - place, attends)
        self.upsamplers = nn.ModuleList([Upsample2D(out)] if place < blocks - 1 else [])

    def forward(
        self,
        x: trtnet.Tensor,
        skips: Sequence[trtnet.Tensor],
        time: trtnet.Tensor,
        text: trtnet.Tensor,
        size: Sequence[int | trtnet.Dim] = (),
    ) -> trtnet.Tensor:
        for index, skip in enumerate(skips):
            x = self.layer(index, ops.cat([x, skip], 1), time, text)
        for twice in self.upsamplers:
            x = twice(x, size)
        return x


class UNet2DConditionModel(nn.Module):
    """The noise in latents, or what else the checkpoint was trained to predict.

    sample: [batch, in_channels, height, width], the latents. timestep: [batch] int64, of the 1,000 of the training, or
    what `Timesteps` makes of any. encoder_hidden_states: [batch, length, cross_attention_dim], of the text. Result:
    [batch, out_channels, height, width].
    """

    def __init__(self, config: UNet2DConditionConfig) -> None:
        blocks, first = range(len(config.block_out_channels)), config.block_out_channels[0]
        self.inputs = {
            "sample": trtnet.Input(("batch", config.in_channels, "height", "width")),
            "timestep": trtnet.Input(("batch",), "int64"),
            "encoder_hidden_states": trtnet.Input(("batch", "length", config.cross_attention_dim)),
        }
        self.time_proj, self.time_embedding = Timesteps(first), TimestepEmbedding(first, 4 * first)
        self.conv_in = nn.Conv2d(config.in_channels, first, 3, padding=1)
        befores = (first, *config.block_out_channels)
        self.down_blocks = nn.ModuleList(DownBlock2D(config, befores[place], place) for place in blocks)
        self.mid_block = UNetMidBlock2DCrossAttn(config)
        self.up_blocks = nn.ModuleList()
        widths, width, self.skips = _seen(config), config.block_out_channels[-1], config.layers_per_block + 1
        for place in blocks:
            own = [widths.pop() for _ in range(self.skips)]
            self.up_blocks.append(UpBlock2D(config, width, own, place))
            width = config.block_out_channels[-1 - place]
        self.conv_norm_out = nn.GroupNorm(config.norm_num_groups, first, config.norm_eps)
        self.conv_out = nn.Conv2d(first, config.out_channels, 3, padding=1)

    def forward(
        self, sample: trtnet.Tensor, timestep: trtnet.Tensor, encoder_hidden_states: trtnet.Tensor
    ) -> trtnet.Tensor:
        text = encoder_hidden_states
        waves = self.time_proj(timestep) if timestep.ndim == 1 else timestep
        time = ops.silu(self.time_embedding(waves.to(sample.dtype)))  # as every block takes it
        x = self.conv_in(sample)
        skips = [x]
        for block in self.down_blocks:
            x, seen = block(x, time, text)
            skips += seen
        x = self.mid_block(x, time, text)
        for block in self.up_blocks:
            own = [skips.pop() for _ in range(self.skips)]
            x = block(x, own, time, text, skips[-1].shape[2:] if skips else ())
        return self.conv_out(ops.silu(self.conv_norm_out(x)))


def _seen(config: UNet2DConditionConfig) -> list[int]:
    """The widths of what the up blocks get: of the first convolution, of each layer, of each halving."""
    widths = [config.block_out_channels[0]]
    for width in config.block_out_channels:
        widths += (config.layers_per_block + 1) * [width]
    return widths[:-1]


def stable_diffusion_unet(config: UNet2DConditionConfig | Source | None = None, **fields: Any) -> UNet2DConditionModel:
    """The denoiser of Stable Diffusion 1.5; that of any 1.x or 2.x by its config.json."""
    return UNet2DConditionModel(UNET.read(config, UNet2DConditionConfig(), fields))
