"""The decoder of Stable Diffusion's autoencoder: from latents to an image (Rombach et al., 2022).

Weight names are those of diffusers' AutoencoderKL, whose encoder the rules `vae_decoder` leave out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import trtnet
from trtnet import nn, ops
from trtnet.models.diffusion_layers import Attention, ResnetBlock2D, Upsample2D, image_of, pixels_of
from trtnet.models.published_diffusers import VAE, Source

EPS = 1e-6
"""Of all norms."""


@dataclass(frozen=True)
class AutoencoderKLConfig:
    """The fields of the original's config.json; the defaults are those of Stable Diffusion 1.x and 2.x.

    scaling_factor, shift_factor: what
    the latents of the denoiser are divided by, and what is then added.
    """

    latent_channels: int = 4
    out_channels: int = 3
    block_out_channels: tuple[int, ...] = (128, 256, 512, 512)
    layers_per_block: int = 2
    norm_num_groups: int = 32
    scaling_factor: float = 0.18215
    shift_factor: float | None = None
    use_post_quant_conv: bool = True


class PixelAttention(Attention):
    """Attention of pixels to each other, with one head, after a norm and beside a shortcut."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__(width, 1, width, bias=True)
        self.group_norm = nn.GroupNorm(groups, width, EPS)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        pixels = pixels_of(self.group_norm(x))
        return x + image_of(super().forward(pixels, pixels), x)


class UNetMidBlock2D(nn.Module):
    """A residual block, attention, another residual block."""

    def __init__(self, width: int, groups: int) -> None:
        self.resnets = nn.ModuleList(ResnetBlock2D(width, width, groups, EPS) for _ in range(2))
        self.attentions = nn.ModuleList([PixelAttention(width, groups)])

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return self.resnets[1](self.attentions[0](self.resnets[0](x)))


class UpDecoderBlock2D(nn.Module):
    """Residual blocks of `widths`, from each to the next, then twice the size unless it is the last block."""

    def __init__(self, widths: Sequence[int], groups: int, is_last: bool) -> None:
        self.resnets = nn.Sequential(*(ResnetBlock2D(width, out, groups, EPS) for width, out in pairwise(widths)))
        self.upsamplers = nn.Sequential(*([] if is_last else [Upsample2D(widths[-1])]))

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return self.upsamplers(self.resnets(x))


class Decoder(nn.Module):
    """Scaled latents [batch, latent_channels, height, width] -> the image."""

    def __init__(self, config: AutoencoderKLConfig) -> None:
        widths, groups = config.block_out_channels[::-1], config.norm_num_groups
        self.conv_in = nn.Conv2d(config.latent_channels, widths[0], 3, padding=1)
        self.mid_block = UNetMidBlock2D(widths[0], groups)
        befores, own = (widths[0], *widths), config.layers_per_block + 1
        self.up_blocks = nn.Sequential(
            *(
                UpDecoderBlock2D((before, *(width,) * own), groups, place == len(widths) - 1)
                for place, (before, width) in enumerate(zip(befores, widths, strict=False))
            )
        )
        self.conv_norm_out = nn.GroupNorm(groups, widths[-1], EPS)
        self.conv_out = nn.Conv2d(widths[-1], config.out_channels, 3, padding=1)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        x = self.up_blocks(self.mid_block(self.conv_in(x)))
        return self.conv_out(ops.silu(self.conv_norm_out(x)))


class VAEDecoder(nn.Module):
    """latents [batch, latent_channels, height, width], as the denoiser gives them -> image [batch, out_channels, 8
    height, 8 width], from -1 to 1 or a little beyond.

    In float16, published checkpoints whose config.json says force_upcast may overflow: define those as bfloat16.
    """

    def __init__(self, config: AutoencoderKLConfig) -> None:
        self.inputs = {"latents": trtnet.Input(("batch", config.latent_channels, "height", "width"))}
        self.scale, self.shift = config.scaling_factor, config.shift_factor or 0.0
        channels = config.latent_channels
        self.post_quant_conv = nn.Conv2d(channels, channels, 1) if config.use_post_quant_conv else nn.Identity()
        self.decoder = Decoder(config)

    def forward(self, latents: trtnet.Tensor) -> dict[str, trtnet.Tensor]:
        return {"image": self.decoder(self.post_quant_conv(latents / self.scale + self.shift))}


def vae_decoder(config: AutoencoderKLConfig | Source | None = None, **fields: Any) -> VAEDecoder:
    """The decoder of Stable Diffusion's autoencoder; that of any AutoencoderKL by its config.json."""
    return VAEDecoder(VAE.read(config, AutoencoderKLConfig(), fields))
