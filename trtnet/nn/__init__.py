"""Modules with torch.nn's names, arguments, defaults and weight names."""

from trtnet.graph import Buffer, Parameter
from trtnet.nn.activation import GELU, ReLU, ReLU6, Sigmoid, SiLU, Softmax
from trtnet.nn.conv import Conv2d, ConvTranspose2d
from trtnet.nn.linear import Dropout, Flatten, Identity, Linear
from trtnet.nn.module import Module, ModuleList, Sequential
from trtnet.nn.norm import BatchNorm2d
from trtnet.nn.pool import AdaptiveAvgPool2d, AvgPool2d, MaxPool2d

__all__ = [
    "GELU",
    "AdaptiveAvgPool2d",
    "AvgPool2d",
    "BatchNorm2d",
    "Buffer",
    "Conv2d",
    "ConvTranspose2d",
    "Dropout",
    "Flatten",
    "Identity",
    "Linear",
    "MaxPool2d",
    "Module",
    "ModuleList",
    "Parameter",
    "ReLU",
    "ReLU6",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
]
