"""Silero VAD's published architecture, with the names of its TorchScript file."""

from __future__ import annotations

import torch
from torch import nn


class Encoder(nn.Module):
    def __init__(self, channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.reparam_conv = nn.Conv1d(channels, out_channels, 3, stride=stride, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.reparam_conv(x))


class Model(nn.Module):
    """It is called with the context and the chunk, joined, and the LSTM's state [2, streams, 128]."""

    def __init__(self, window: int) -> None:
        super().__init__()
        self.window, bins = window, window // 2 + 1
        self.stft, self.decoder = nn.Module(), nn.Module()
        self.stft.register_buffer("forward_basis_buffer", torch.randn(2 * bins, 1, window))
        self.encoder = nn.Sequential(
            Encoder(bins, 128, 1), Encoder(128, 64, 2), Encoder(64, 64, 2), Encoder(64, 128, 1)
        )  # fmt: skip
        self.decoder.rnn = nn.LSTMCell(128, 128)
        self.decoder.decoder = nn.Sequential(nn.Dropout(0.1), nn.ReLU(), nn.Conv1d(128, 1, 1), nn.Sigmoid())

    def forward(self, sound: torch.Tensor, state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        padded = nn.functional.pad(sound, (0, self.window // 4), "reflect").unsqueeze(1)
        parts = nn.functional.conv1d(padded, self.stft.forward_basis_buffer, stride=self.window // 2)
        real, imaginary = parts.chunk(2, 1)
        x = self.encoder(torch.sqrt(real**2 + imaginary**2)).squeeze(-1)
        h, c = self.decoder.rnn(x, (state[0], state[1]))
        return self.decoder.decoder(h.unsqueeze(-1)).squeeze(-1), torch.stack([h, c])


class SileroVAD(nn.Module):
    """chunk [streams, chunk], context, hidden and cell -> probability [streams, 1], and the next of each."""

    def __init__(self, chunk: int = 512) -> None:
        super().__init__()
        self._model = Model(chunk // 2)

    def forward(
        self, chunk: torch.Tensor, context: torch.Tensor, hidden: torch.Tensor, cell: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        probability, state = self._model(torch.cat([context, chunk], 1), torch.stack([hidden, cell]))
        return probability, chunk[:, -context.shape[1] :], state[0], state[1]
