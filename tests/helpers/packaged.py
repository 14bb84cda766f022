"""Models of packages in torch, written anew, with their names: khmer-ocr-ocm, torchcrepe, Resemblyzer."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn


class CRNN(nn.Module):
    """As the package khmer-ocr-ocm writes it."""

    def __init__(self, classes: int, hidden: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for channels, pool in (((1, 64), 2), ((64, 128), 2), ((128, 256, 256), (2, 1)), ((256, 512, 512), (2, 1))):
            for before, after in pairwise(channels):
                layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
            layers += [nn.MaxPool2d(pool, pool), nn.Dropout2d(0.2)]
        self.cnn = nn.Sequential(*layers, nn.Conv2d(512, 512, 2), nn.BatchNorm2d(512), nn.ReLU())
        self.rnn = nn.LSTM(512, hidden, 2, bidirectional=True)
        self.fc = nn.Linear(2 * hidden, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.rnn(self.cnn(x).mean(2).permute(2, 0, 1))[0])


class Crepe(nn.Module):
    """As torchcrepe writes it, for frames that are not normalized yet."""

    def __init__(self, width: int) -> None:
        super().__init__()
        channels = [1, *(width * n for n in (32, 4, 4, 4, 8, 16))]
        for i in range(6):
            kernel, stride = ((512, 1), (4, 1)) if i == 0 else ((64, 1), (1, 1))
            self.add_module(f"conv{i + 1}", nn.Conv2d(channels[i], channels[i + 1], kernel, stride))
            self.add_module(f"conv{i + 1}_BN", nn.BatchNorm2d(channels[i + 1], eps=0.0010000000474974513))
        self.classifier = nn.Linear(4 * channels[6], 360)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)
        x = x[:, None, :, None]
        for i in range(6):
            x = nn.functional.pad(x, (0, 0, 31, 32) if i else (0, 0, 254, 254))
            x = self.get_submodule(f"conv{i + 1}_BN")(torch.relu(self.get_submodule(f"conv{i + 1}")(x)))
            x = nn.functional.max_pool2d(x, (2, 1), (2, 1))
        return torch.sigmoid(self.classifier(x.permute(0, 2, 1, 3).reshape(len(x), -1)))


class VoiceEncoder(nn.Module):
    """As Resemblyzer writes it, from librosa's features by torch's transform."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.lstm, self.linear = nn.LSTM(40, size, 2, batch_first=True), nn.Linear(size, 256)

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        from transformers.audio_utils import mel_filter_bank

        filters = mel_filter_bank(201, 40, 0.0, 8000.0, 16000, norm="slaney", mel_scale="slaney")
        window = torch.hann_window(400)
        spectrum = torch.stft(samples, 400, 160, window=window, pad_mode="constant", return_complex=True).abs() ** 2
        mels = torch.from_numpy(filters.T).float() @ spectrum
        raw = torch.relu(self.linear(self.lstm(mels.transpose(1, 2)[:, :-1])[1][0][-1]))
        return raw / raw.norm(dim=1, keepdim=True)
