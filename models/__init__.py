"""The zoo: networks with the names of their published checkpoints, a file a family."""

from trtnet.models.efficientnet_lite import efficientnet_lite0
from trtnet.models.lenet import lenet
from trtnet.models.resnet import resnet18, resnet34, resnet50, resnet101, resnet152
from trtnet.models.unet import unet

__all__ = [
    "efficientnet_lite0",
    "lenet",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "unet",
]
