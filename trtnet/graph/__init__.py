"""Symbolic values over TensorRT's network: Tensor, Dim, Input, Parameter, and the Network they live in."""

from trtnet.graph.inputs import Input, State
from trtnet.graph.memory.weight import Weight
from trtnet.graph.network import Network, current
from trtnet.graph.sizes.dim import Dim, Shape, Size
from trtnet.graph.sizes.real import Real
from trtnet.graph.tensors.parameter import Buffer, Parameter
from trtnet.graph.tensors.tensor import OpenNetwork, Tensor

__all__ = [
    "Buffer",
    "Dim",
    "Input",
    "Network",
    "OpenNetwork",
    "Parameter",
    "Real",
    "Shape",
    "Size",
    "State",
    "Tensor",
    "Weight",
    "current",
]
