"""CLIP's image tower (Radford et al., "Learning transferable visual models from natural language supervision", 2021).

Weight names are those of transformers' CLIPVisionModelWithProjection, with one in_proj for queries, keys and values.
"""

from dataclasses import dataclass
from typing import Any

import trtnet
from trtnet import nn, ops
from trtnet.models.published import CLIP, Source


@dataclass(frozen=True)
class CLIPVisionConfig:
    """The fields of the original's config.json; the defaults are clip-vit-base-patch32's."""

    hidden_size: int = 768
    intermediate_size: int = 3072
    projection_dim: int = 512
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    image_size: int = 224
    patch_size: int = 32
    layer_norm_eps: float = 1e-5


class Embeddings(nn.Module):
    """A class token and the patches, with their positions."""

    def __init__(self, config: CLIPVisionConfig) -> None:
        width, patch = config.hidden_size, config.patch_size
        self.class_embedding = nn.Parameter(width)
        self.patch_embedding = nn.Conv2d(3, width, patch, stride=patch, bias=False)
        self.position_embedding = nn.Embedding((config.image_size // patch) ** 2 + 1, width)

    def forward(self, image: trtnet.Tensor) -> trtnet.Tensor:
        patches = self.patch_embedding(image).flatten(2).transpose(1, 2)
        batch, _, width = patches.shape
        x = ops.cat([ops.expand(self.class_embedding, (batch, 1, width)), patches], dim=1)
        return x + self.position_embedding.weight


class MLP(nn.Module):
    """Two linear layers with x * sigmoid(1.702 x) between them."""

    def __init__(self, config: CLIPVisionConfig) -> None:
        self.fc1 = nn.Linear(config.hidden_size, config.intermediate_size)
        self.fc2 = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        y = self.fc1(x)
        return self.fc2(y * ops.sigmoid(y * 1.702))


class EncoderLayer(nn.Module):
    """Attention and perceptron, each after a norm and beside a shortcut."""

    def __init__(self, config: CLIPVisionConfig) -> None:
        self.self_attn = nn.MultiheadAttention(config.hidden_size, config.num_attention_heads, batch_first=True)
        self.layer_norm1 = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.mlp = MLP(config)
        self.layer_norm2 = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        y = self.layer_norm1(x)
        x = x + self.self_attn(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.layer_norm2(x))


class Encoder(nn.Module):
    """All layers."""

    def __init__(self, config: CLIPVisionConfig) -> None:
        self.layers = nn.Sequential(*(EncoderLayer(config) for _ in range(config.num_hidden_layers)))

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return self.layers(x)


class VisionModel(nn.Module):
    """image -> the class token's last state [batch, hidden_size], normalized."""

    def __init__(self, config: CLIPVisionConfig) -> None:
        self.embeddings = Embeddings(config)
        self.pre_layrnorm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)  # the original's spelling
        self.encoder = Encoder(config)
        self.post_layernorm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)

    def forward(self, image: trtnet.Tensor) -> trtnet.Tensor:
        return self.post_layernorm(self.encoder(self.pre_layrnorm(self.embeddings(image)))[:, 0])


class CLIPVision(nn.Module):
    """image [batch, 3, image_size, image_size], normalized as CLIP's -> image_embeds [batch, projection_dim]."""

    def __init__(self, config: CLIPVisionConfig) -> None:
        self.inputs = {"image": trtnet.Input(("batch", 3, config.image_size, config.image_size))}
        self.vision_model = VisionModel(config)
        self.visual_projection = nn.Linear(config.hidden_size, config.projection_dim, bias=False)

    def forward(self, image: trtnet.Tensor) -> dict[str, trtnet.Tensor]:
        return {"image_embeds": self.visual_projection(self.vision_model(image))}


def clip_vit_b_32(config: CLIPVisionConfig | Source | None = None, **fields: Any) -> CLIPVision:
    """The image tower of clip-vit-base-patch32."""
    return CLIPVision(CLIP.read(config, CLIPVisionConfig(), fields))
