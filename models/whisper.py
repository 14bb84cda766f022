"""Whisper's encoder (Radford et al., "Robust speech recognition via large-scale weak supervision", 2022).

Weight names are those of transformers' WhisperModel, with one in_proj for queries, keys and values.
"""

from dataclasses import dataclass
from typing import Any

import trtnet
from trtnet import nn, ops
from trtnet.models.published import WHISPER, Source


@dataclass(frozen=True)
class WhisperConfig:
    """The fields of the original's config.json; the defaults are whisper-tiny's."""

    num_mel_bins: int = 80
    d_model: int = 384
    encoder_layers: int = 4
    encoder_attention_heads: int = 6
    encoder_ffn_dim: int = 1536
    max_source_positions: int = 1500
    vocab_size: int = 51865
    decoder_layers: int = 4
    decoder_attention_heads: int = 6
    decoder_ffn_dim: int = 1536
    max_target_positions: int = 448


class EncoderLayer(nn.Module):
    """Attention and a two-layer perceptron, each after a norm and beside a shortcut."""

    def __init__(self, config: WhisperConfig) -> None:
        width = config.d_model
        self.self_attn = nn.MultiheadAttention(width, config.encoder_attention_heads, batch_first=True)
        self.self_attn_layer_norm = nn.LayerNorm(width)
        self.fc1, self.fc2 = nn.Linear(width, config.encoder_ffn_dim), nn.Linear(config.encoder_ffn_dim, width)
        self.final_layer_norm = nn.LayerNorm(width)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        y = self.self_attn_layer_norm(x)
        x = x + self.self_attn(y, y, y, need_weights=False)[0]
        return x + self.fc2(ops.gelu(self.fc1(self.final_layer_norm(x))))


class Encoder(nn.Module):
    """Two convolutions over time, which halve it, then all layers."""

    def __init__(self, config: WhisperConfig) -> None:
        self.conv1 = nn.Conv1d(config.num_mel_bins, config.d_model, 3, padding=1)
        self.conv2 = nn.Conv1d(config.d_model, config.d_model, 3, stride=2, padding=1)
        self.embed_positions = nn.Embedding(config.max_source_positions, config.d_model)
        self.layers = nn.Sequential(*(EncoderLayer(config) for _ in range(config.encoder_layers)))
        self.layer_norm = nn.LayerNorm(config.d_model)

    def forward(self, features: trtnet.Tensor) -> trtnet.Tensor:
        x = ops.gelu(self.conv2(ops.gelu(self.conv1(features)))).transpose(1, 2)
        return self.layer_norm(self.layers(x + self.embed_positions.weight))


class Whisper(nn.Module):
    """input_features, log-mel [batch, num_mel_bins, frames] -> last_hidden_state [batch, frames / 2, d_model]."""

    def __init__(self, config: WhisperConfig) -> None:
        frames = 2 * config.max_source_positions
        self.inputs = {"input_features": trtnet.Input(("batch", config.num_mel_bins, frames))}
        self.encoder = Encoder(config)

    def forward(self, input_features: trtnet.Tensor) -> dict[str, trtnet.Tensor]:
        return {"last_hidden_state": self.encoder(input_features)}


def whisper_tiny(config: WhisperConfig | Source | None = None, **fields: Any) -> Whisper:
    """The encoder of whisper-tiny: 30 seconds of sound."""
    return Whisper(WHISPER.read(config, WhisperConfig(), fields))
