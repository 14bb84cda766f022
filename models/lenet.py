"""LeNet-5 (LeCun et al., "Gradient-based learning applied to document recognition", 1998), with ReLU and max pools."""

from dataclasses import dataclass
from typing import Any

import trtnet
from trtnet import nn, ops
from trtnet.models.published import OWN_NAMES, Source


@dataclass(frozen=True)
class LeNetConfig:
    """num_classes: the number of classes."""

    num_classes: int = 10


class LeNet(nn.Module):
    """image [batch, 1, 28, 28], a white digit on black in [0, 1] -> logits [batch, num_classes]."""

    inputs = {"image": trtnet.Input(("batch", 1, 28, 28))}

    def __init__(self, config: LeNetConfig) -> None:
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, config.num_classes)

    def forward(self, image: trtnet.Tensor) -> trtnet.Tensor:
        x = ops.max_pool2d(ops.relu(self.conv1(image)), 2)
        x = ops.max_pool2d(ops.relu(self.conv2(x)), 2)
        x = ops.relu(self.fc1(x.flatten(1)))
        return self.fc3(ops.relu(self.fc2(x)))


def lenet(config: LeNetConfig | Source | None = None, **fields: Any) -> LeNet:
    """LeNet-5, for 28x28 digits."""
    return LeNet(OWN_NAMES.read(config, LeNetConfig(), fields))
