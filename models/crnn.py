"""CRNN (Shi et al., 2015): a line of text as an image, to characters, by convolutions, two BiLSTMs and CTC.

Weight names are those of the package khmer-ocr-ocm.
"""

from dataclasses import dataclass
from typing import Any

import trtnet
from trtnet import nn, ops
from trtnet.models.ctc import collapsed
from trtnet.models.published import OWN_NAMES, Source


@dataclass(frozen=True)
class CRNNConfig:
    """num_classes: characters, and the blank, which is 0. image_height, image_width: in pixels."""

    num_classes: int = 984
    hidden_size: int = 256
    image_height: int = 48
    image_width: int = 512


BLOCKS = (((1, 64),), ((64, 128),), ((128, 256), (256, 256)), ((256, 512), (512, 512)))
POOLS = ((2, 2), (2, 2), (2, 1), (2, 1))


class CRNN(nn.Module):
    """image [batch, 1, 48, 512] from -1 to 1 -> logits [batch, places, num_classes], and characters [batch, places]
    int64: the most likely one where it is another than at the place before, else 0.
    """

    def __init__(self, config: CRNNConfig) -> None:
        self.inputs = {"image": trtnet.Input(("batch", 1, config.image_height, config.image_width))}
        layers: list[nn.Module] = []
        for convolutions, pool in zip(BLOCKS, POOLS, strict=True):
            for before, after in convolutions:
                layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
            layers += [nn.MaxPool2d(pool, pool), nn.Identity()]  # a dropout
        self.cnn = nn.Sequential(*layers, nn.Conv2d(512, 512, 2), nn.BatchNorm2d(512), nn.ReLU())
        self.rnn = nn.LSTM(512, config.hidden_size, 2, bidirectional=True)
        self.fc = nn.Linear(2 * config.hidden_size, config.num_classes)

    def forward(self, image: trtnet.Tensor) -> dict[str, trtnet.Tensor]:
        columns = self.cnn(image).mean(2).permute(2, 0, 1)
        logits = self.fc(self.rnn(columns)[0]).transpose(0, 1)
        likely = ops.argmax(logits, -1)
        return {"logits": logits, "characters": collapsed(likely)}


def crnn(config: CRNNConfig | Source | None = None, **fields: Any) -> CRNN:
    """The CRNN of khmer-ocr-ocm: Khmer, 983 characters."""
    return CRNN(OWN_NAMES.read(config, CRNNConfig(), fields))
