"""Vision Transformer (Dosovitskiy et al., "An image is worth 16x16 words", 2020), in torchvision's form and names."""

from dataclasses import dataclass
from typing import Any

import trtnet
from trtnet import nn, ops
from trtnet.models.published import VIT, Source


@dataclass(frozen=True)
class ViTConfig:
    """torchvision's arguments; the defaults are ViT-B/16's."""

    image_size: int = 224
    patch_size: int = 16
    num_layers: int = 12
    num_heads: int = 12
    hidden_dim: int = 768
    mlp_dim: int = 3072
    num_classes: int = 1000
    layer_norm_eps: float = 1e-6


class EncoderBlock(nn.Module):
    """Attention and a two-layer perceptron, each after a norm and beside a shortcut."""

    def __init__(self, config: ViTConfig) -> None:
        width, inner = config.hidden_dim, config.mlp_dim
        self.ln_1 = nn.LayerNorm(width, config.layer_norm_eps)
        self.self_attention = nn.MultiheadAttention(width, config.num_heads, batch_first=True)
        self.ln_2 = nn.LayerNorm(width, config.layer_norm_eps)
        self.mlp = nn.Sequential(
            nn.Linear(width, inner), nn.GELU(), nn.Dropout(), nn.Linear(inner, width), nn.Dropout()
        )

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        y = self.ln_1(x)
        x = x + self.self_attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class Encoder(nn.Module):
    """Tokens with their positions, through all blocks."""

    def __init__(self, config: ViTConfig) -> None:
        seq_length = (config.image_size // config.patch_size) ** 2 + 1
        self.pos_embedding = nn.Parameter(1, seq_length, config.hidden_dim)
        self.layers = nn.Sequential({f"encoder_layer_{i}": EncoderBlock(config) for i in range(config.num_layers)})
        self.ln = nn.LayerNorm(config.hidden_dim, config.layer_norm_eps)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return self.ln(self.layers(x + self.pos_embedding))


class VisionTransformer(nn.Module):
    """image [batch, 3, image_size, image_size], normalized as ImageNet's -> logits [batch, num_classes]."""

    def __init__(self, config: ViTConfig) -> None:
        self.inputs = {"image": trtnet.Input(("batch", 3, config.image_size, config.image_size))}
        self.conv_proj = nn.Conv2d(3, config.hidden_dim, config.patch_size, stride=config.patch_size)
        self.class_token = nn.Parameter(1, 1, config.hidden_dim)
        self.encoder = Encoder(config)
        self.heads = nn.Sequential({"head": nn.Linear(config.hidden_dim, config.num_classes)})

    def forward(self, image: trtnet.Tensor) -> trtnet.Tensor:
        patches = self.conv_proj(image).flatten(2).transpose(1, 2)
        class_token = ops.expand(self.class_token, (patches.shape[0], -1, -1))
        x = self.encoder(ops.cat([class_token, patches], dim=1))
        return self.heads(x[:, 0])


def vit_b_16(config: ViTConfig | Source | None = None, **fields: Any) -> VisionTransformer:
    """ViT-B/16."""
    return VisionTransformer(VIT.read(config, ViTConfig(), fields))
