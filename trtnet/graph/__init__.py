"""Symbolic values over TensorRT's network: Tensor, Dim, Input, Parameter, and the Network they live in."""

from trtnet.graph.inputs import Input
from trtnet.graph.network import Network, current
from trtnet.graph.sizes.dim import Dim, Shape, Size
from trtnet.graph.sizes.real import Real
from trtnet.graph.tensors.tensor import Tensor
from trtnet.graph.tensors.weight import Buffer, Parameter, Weight

__all__ = ["Buffer", "Dim", "Input", "Network", "Parameter", "Real", "Shape", "Size", "Tensor", "Weight", "current"]
