"""CREPE (Kim et al., "CREPE: a convolutional representation for pitch estimation", 2018), with torchcrepe's names."""

from dataclasses import dataclass
from typing import Any

import trtnet
from trtnet import nn, ops
from trtnet.models.published import OWN_NAMES, Source

LOWEST, STEP = 1997.3794084376191, 20
"""Cents above 10 Hz of the first of the 360 pitches, and from one to the next."""


@dataclass(frozen=True)
class CrepeConfig:
    """width: 4 for the model "tiny", 32 for "full"."""

    width: int = 4


class Crepe(nn.Module):
    """frame [batch, 1024], sound of 16 kHz -> probabilities [batch, 360], frequency [batch] in Hz, of the most likely
    pitch, and periodicity [batch], its probability.
    """

    inputs = {"frame": trtnet.Input(("batch", 1024))}

    def __init__(self, config: CrepeConfig) -> None:
        channels = [1, *(config.width * each for each in (32, 4, 4, 4, 8, 16))]
        for i in range(6):
            kernel, stride = (512, 4) if i == 0 else (64, 1)
            setattr(self, f"conv{i + 1}", nn.Conv2d(channels[i], channels[i + 1], (kernel, 1), (stride, 1)))
            setattr(self, f"conv{i + 1}_BN", nn.BatchNorm2d(channels[i + 1], 0.0010000000474974513))
        self.classifier = nn.Linear(4 * channels[6], 360)

    def forward(self, frame: trtnet.Tensor) -> dict[str, trtnet.Tensor]:
        centred = frame.float() - frame.float().mean(1, keepdim=True)  # float16 has no number as small as 1e-10
        x = (centred / ops.std(centred, 1, keepdim=True).clamp(min=1e-10)).to(frame.dtype)[:, None, :, None]
        for i in range(6):
            x = ops.pad(x, (0, 0, 254, 254) if i == 0 else (0, 0, 31, 32))
            x = getattr(self, f"conv{i + 1}_BN")(ops.relu(getattr(self, f"conv{i + 1}")(x)))
            x = ops.max_pool2d(x, (2, 1), (2, 1))
        found = ops.sigmoid(self.classifier(x.permute(0, 2, 1, 3).flatten(1)))
        cents = ops.argmax(found, -1).float() * STEP + LOWEST
        return {"probabilities": found, "frequency": 10 * ops.exp2(cents / 1200), "periodicity": found.amax(-1)}


def crepe(config: CrepeConfig | Source | None = None, **fields: Any) -> Crepe:
    """CREPE's model "tiny"; ``crepe(width=32)`` is "full"."""
    return Crepe(OWN_NAMES.read(config, CrepeConfig(), fields))
