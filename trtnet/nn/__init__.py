"""Modules with torch.nn's names, arguments, defaults and weight names."""

from trtnet.graph import Buffer, Parameter
from trtnet.nn.activation import GELU, ReLU, ReLU6, Sigmoid, SiLU, Softmax
from trtnet.nn.attention import MultiheadAttention, join_heads, split_heads
from trtnet.nn.conv import Conv2d, ConvTranspose2d
from trtnet.nn.linear import Dropout, Embedding, Flatten, Identity, Linear, TransposedLinear
from trtnet.nn.module import Module, ModuleList, Sequential
from trtnet.nn.norm import BatchNorm2d, GroupNorm, LayerNorm, RMSNorm
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
    "Embedding",
    "Flatten",
    "GroupNorm",
    "Identity",
    "LayerNorm",
    "Linear",
    "MaxPool2d",
    "Module",
    "ModuleList",
    "MultiheadAttention",
    "Parameter",
    "RMSNorm",
    "ReLU",
    "ReLU6",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "TransposedLinear",
    "join_heads",
    "split_heads",
]
