"""Silero VAD (Silero Team, 2021; version 6): voice activity of streams of audio, by the names of its safetensors file.

The states are what the original keeps between calls: the end of the chunk before, and the LSTM cell's.
"""

from dataclasses import dataclass
from typing import Any

import trtnet
from trtnet import nn, ops
from trtnet.models.published import OWN_NAMES, Source
from trtnet.support.errors import ModelError


@dataclass(frozen=True)
class SileroVADConfig:
    """sampling_rate: 16000, or 8000, for which the published file has a model of its own."""

    sampling_rate: int = 16000

    def __post_init__(self) -> None:
        if self.sampling_rate not in (8000, 16000):
            raise ModelError(f"Silero VAD takes 16000 or 8000 samples a second; found {self.sampling_rate}")

    @property
    def chunk(self) -> int:
        """Samples in 32 ms."""
        return self.sampling_rate * 32 // 1000


class SileroVAD(nn.Module):
    """chunk [streams, 512], 32 ms of sound in [-1, 1] -> the probability of speech in it [streams, 1]."""

    def __init__(self, config: SileroVADConfig) -> None:
        self.window = config.chunk // 2
        bins, size = self.window // 2 + 1, ("streams", 128)
        self.inputs = {
            "chunk": trtnet.Input(("streams", config.chunk)),
            "context": trtnet.State(("streams", config.chunk // 8)),
            "hidden": trtnet.State(size),
            "cell": trtnet.State(size),
        }
        self.stft_conv = nn.Conv1d(1, 2 * bins, self.window, stride=self.window // 2, bias=False)
        self.conv1 = nn.Conv1d(bins, 128, 3, padding=1)
        self.conv2 = nn.Conv1d(128, 64, 3, stride=2, padding=1)
        self.conv3 = nn.Conv1d(64, 64, 3, stride=2, padding=1)
        self.conv4 = nn.Conv1d(64, 128, 3, padding=1)
        self.lstm_cell = nn.LSTMCell(128, 128)
        self.final_conv = nn.Conv1d(128, 1, 1)

    def forward(
        self, chunk: trtnet.Tensor, context: trtnet.Tensor, hidden: trtnet.Tensor, cell: trtnet.Tensor
    ) -> dict[str, trtnet.Tensor]:
        sound = ops.cat([context, chunk], 1)
        parts = self.stft_conv(ops.pad(sound, (0, self.window // 4), "reflect").unsqueeze(1))
        real, imaginary = parts.chunk(2, 1)
        x = ops.sqrt(real * real + imaginary * imaginary)
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            x = ops.relu(conv(x))
        hidden, cell = self.lstm_cell(x.squeeze(-1), (hidden, cell))
        probability = ops.sigmoid(self.final_conv(ops.relu(hidden).unsqueeze(-1))).squeeze(-1)
        return {
            "probability": probability,
            "context": chunk[:, -context.shape[1] :],
            "hidden": hidden,
            "cell": cell,
        }


def silero_vad(config: SileroVADConfig | Source | None = None, **fields: Any) -> SileroVAD:
    """Silero VAD at 16 kHz: a chunk of 32 ms in, the probability of speech out."""
    return SileroVAD(OWN_NAMES.read(config, SileroVADConfig(), fields))
