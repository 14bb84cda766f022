"""The voice encoder of Resemblyzer (Wan et al., "Generalized end-to-end loss for speaker verification", 2018)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

import trtnet
from trtnet import nn, ops
from trtnet.models.published import OWN_NAMES, Source
from trtnet.models.whisper_text import HOP, WINDOW, mel_filters


@dataclass(frozen=True)
class VoiceEncoderConfig:
    """frames: of 10 milliseconds; the original has 160 in a part of an utterance."""

    mel_n_channels: int = 40
    model_hidden_size: int = 256
    model_num_layers: int = 3
    model_embedding_size: int = 256
    frames: int = 160


class VoiceEncoder(nn.Module):
    """samples [batch, 160 * frames], sound of 16 kHz from -1 to 1 -> embedding [batch, 256] of length 1: who speaks."""

    def __init__(self, config: VoiceEncoderConfig) -> None:
        self.inputs = {"samples": trtnet.Input(("batch", HOP * config.frames))}
        self.filters, self.window = mel_filters(config.mel_n_channels), np.hanning(WINDOW + 1)[:-1]
        size = config.model_hidden_size
        self.lstm = nn.LSTM(config.mel_n_channels, size, config.model_num_layers, batch_first=True)
        self.linear = nn.Linear(size, config.model_embedding_size)

    def forward(self, samples: trtnet.Tensor) -> trtnet.Tensor:
        spectrum = ops.stft(samples.float(), WINDOW, HOP, window=self.window, pad_mode="constant")[:, :, :-1]
        mels = ops.matmul(self.filters, spectrum.square().sum(-1)).transpose(1, 2)
        _, (hidden, _) = self.lstm(mels.to(samples.dtype))
        return ops.normalize(ops.relu(self.linear(hidden[-1])), dim=1)


def voice_encoder(config: VoiceEncoderConfig | Source | None = None, **fields: Any) -> VoiceEncoder:
    """Resemblyzer's: three LSTMs."""
    return VoiceEncoder(OWN_NAMES.read(config, VoiceEncoderConfig(), fields))
