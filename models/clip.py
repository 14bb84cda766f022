"""CLIP (Radford et al., "Learning transferable visual models from natural language supervision", 2021).

Weight names are those of transformers' CLIPModel, CLIPVisionModelWithProjection and CLIPTextModelWithProjection, with
one in_proj for queries, keys and values.
"""

from dataclasses import dataclass
from typing import Any, Literal

import trtnet
from trtnet import nn, ops
from trtnet.models.published import CLIP as PUBLISHED, CLIP_TEXT, CLIP_VISION, Source

Activation = Literal["quick_gelu", "gelu"]


@dataclass(frozen=True)
class CLIPTowerConfig:
    """The fields of the original's config.json that both towers have."""

    hidden_size: int = 768
    intermediate_size: int = 3072
    projection_dim: int = 512
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    layer_norm_eps: float = 1e-5
    hidden_act: Activation = "quick_gelu"


@dataclass(frozen=True)
class CLIPVisionConfig(CLIPTowerConfig):
    """The fields of the original's config.json; the defaults are clip-vit-base-patch32's."""

    image_size: int = 224
    patch_size: int = 32


@dataclass(frozen=True)
class CLIPTextConfig(CLIPTowerConfig):
    """The fields of the original's config.json; the defaults are clip-vit-base-patch32's.

    eos_token_id: the token that ends a text. 2, as the first published files have it, is the largest token of a text.
    """

    hidden_size: int = 512
    intermediate_size: int = 2048
    num_attention_heads: int = 8
    vocab_size: int = 49408
    max_position_embeddings: int = 77
    eos_token_id: int = 49407


@dataclass(frozen=True)
class CLIPConfig(CLIPVisionConfig):
    """Of both towers: the image tower's fields, and those of texts, whose names begin with "text_"."""

    text_hidden_size: int = CLIPTextConfig.hidden_size
    text_intermediate_size: int = CLIPTextConfig.intermediate_size
    text_num_hidden_layers: int = CLIPTextConfig.num_hidden_layers
    text_num_attention_heads: int = CLIPTextConfig.num_attention_heads
    text_vocab_size: int = CLIPTextConfig.vocab_size
    text_max_position_embeddings: int = CLIPTextConfig.max_position_embeddings
    text_layer_norm_eps: float = CLIPTextConfig.layer_norm_eps
    text_hidden_act: Activation = CLIPTextConfig.hidden_act
    text_eos_token_id: int = CLIPTextConfig.eos_token_id

    @property
    def text(self) -> CLIPTextConfig:
        own = {key.removeprefix("text_"): value for key, value in vars(self).items() if key.startswith("text_")}
        return CLIPTextConfig(projection_dim=self.projection_dim, **own)


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


class TextEmbeddings(nn.Module):
    """The tokens, with their positions."""

    def __init__(self, config: CLIPTextConfig) -> None:
        self.token_embedding = nn.Embedding(config.vocab_size, config.hidden_size)
        self.position_embedding = nn.Embedding(config.max_position_embeddings, config.hidden_size)

    def forward(self, input_ids: trtnet.Tensor) -> trtnet.Tensor:
        return self.token_embedding(input_ids) + self.position_embedding(ops.arange(input_ids.shape[1]))


class MLP(nn.Module):
    """Two linear layers with GELU, or x * sigmoid(1.702 x), between them."""

    def __init__(self, config: CLIPTowerConfig) -> None:
        self.quick = config.hidden_act == "quick_gelu"
        self.fc1 = nn.Linear(config.hidden_size, config.intermediate_size)
        self.fc2 = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        y = self.fc1(x)
        return self.fc2(y * ops.sigmoid(y * 1.702) if self.quick else ops.gelu(y))


class EncoderLayer(nn.Module):
    """Attention and perceptron, each after a norm and beside a shortcut. causal: tokens look at those before them."""

    def __init__(self, config: CLIPTowerConfig, causal: bool) -> None:
        self.causal = causal
        self.self_attn = nn.MultiheadAttention(config.hidden_size, config.num_attention_heads, batch_first=True)
        self.layer_norm1 = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.mlp = MLP(config)
        self.layer_norm2 = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        y = self.layer_norm1(x)
        x = x + self.self_attn(y, y, y, need_weights=False, is_causal=self.causal)[0]
        return x + self.mlp(self.layer_norm2(x))


class Encoder(nn.Module):
    """All layers."""

    def __init__(self, config: CLIPTowerConfig, causal: bool = False) -> None:
        self.layers = nn.Sequential(*(EncoderLayer(config, causal) for _ in range(config.num_hidden_layers)))

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


class TextModel(nn.Module):
    """input_ids -> the state of the first token that ends the text [texts, hidden_size], normalized."""

    def __init__(self, config: CLIPTextConfig) -> None:
        self.end = config.eos_token_id
        self.embeddings = TextEmbeddings(config)
        self.encoder = Encoder(config, causal=True)
        self.final_layer_norm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)

    def forward(self, input_ids: trtnet.Tensor) -> trtnet.Tensor:
        states = self.final_layer_norm(self.encoder(self.embeddings(input_ids)))
        texts, length = input_ids.shape
        end = input_ids == (input_ids.amax(1, keepdim=True) if self.end == 2 else self.end)
        first = ops.argmax(ops.where(end, length - ops.arange(length), 0), 1)
        return states[ops.arange(texts), first]


class CLIPVision(nn.Module):
    """image [batch, 3, image_size, image_size], normalized as CLIP's -> image_embeds [batch, projection_dim]."""

    def __init__(self, config: CLIPVisionConfig) -> None:
        self.inputs = {"image": trtnet.Input(("batch", 3, config.image_size, config.image_size))}
        self.vision_model = VisionModel(config)
        self.visual_projection = nn.Linear(config.hidden_size, config.projection_dim, bias=False)

    def forward(self, image: trtnet.Tensor) -> dict[str, trtnet.Tensor]:
        return {"image_embeds": self.visual_projection(self.vision_model(image))}


class CLIPText(nn.Module):
    """input_ids [batch, length] int64, at most max_position_embeddings long -> text_embeds [batch, projection_dim].

    Each text ends with the token eos_token_id; those after it change nothing.
    """

    inputs = {"input_ids": trtnet.Input(("batch", "length"), "int64")}

    def __init__(self, config: CLIPTextConfig) -> None:
        self.text_model = TextModel(config)
        self.text_projection = nn.Linear(config.hidden_size, config.projection_dim, bias=False)

    def forward(self, input_ids: trtnet.Tensor) -> dict[str, trtnet.Tensor]:
        return {"text_embeds": self.text_projection(self.text_model(input_ids))}


class CLIP(nn.Module):
    """How well texts describe images.

    image: [images, 3, image_size, image_size], normalized as CLIP's. input_ids: [texts, length] int64, as those of
    CLIPText. Results: logits_per_image [images, texts], whose softmax over the texts says how likely each of them is;
    image_embeds [images, projection_dim] and text_embeds [texts, projection_dim], of length 1.
    """

    def __init__(self, config: CLIPConfig) -> None:
        self.inputs = {
            "image": trtnet.Input(("images", 3, config.image_size, config.image_size)),
            "input_ids": trtnet.Input(("texts", "length"), "int64"),
        }
        self.vision_model, self.text_model = VisionModel(config), TextModel(config.text)
        self.visual_projection = nn.Linear(config.hidden_size, config.projection_dim, bias=False)
        self.text_projection = nn.Linear(config.text.hidden_size, config.projection_dim, bias=False)
        self.logit_scale = nn.Parameter()

    def forward(self, image: trtnet.Tensor, input_ids: trtnet.Tensor) -> dict[str, trtnet.Tensor]:
        images = ops.normalize(self.visual_projection(self.vision_model(image)))
        texts = ops.normalize(self.text_projection(self.text_model(input_ids)))
        logits = ops.matmul(images, texts.transpose(0, 1)) * ops.exp(self.logit_scale)
        return {"logits_per_image": logits, "image_embeds": images, "text_embeds": texts}


def clip(config: CLIPConfig | Source | None = None, **fields: Any) -> CLIP:
    """clip-vit-base-patch32, both towers."""
    return CLIP(PUBLISHED.read(config, CLIPConfig(), fields))


def clip_text(config: CLIPTextConfig | Source | None = None, **fields: Any) -> CLIPText:
    """The text tower of clip-vit-base-patch32."""
    return CLIPText(CLIP_TEXT.read(config, CLIPTextConfig(), fields))


def clip_vit_b_32(config: CLIPVisionConfig | Source | None = None, **fields: Any) -> CLIPVision:
    """The image tower of clip-vit-base-patch32."""
    return CLIPVision(CLIP_VISION.read(config, CLIPVisionConfig(), fields))
