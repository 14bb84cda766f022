"""Symbolic values over TensorRT's network: Tensor, Dim, Input, Parameter, and the Network they live in."""

from trtnet.graph.dim import Dim, Shape, Size
from trtnet.graph.inputs import Input
from trtnet.graph.network import Network, current
from trtnet.graph.real import Real
from trtnet.graph.tensor import Tensor
from trtnet.graph.weight import Buffer, Parameter, Weight

__all__ = ["Buffer", "Dim", "Input", "Network", "Parameter", "Real", "Shape", "Size", "Tensor", "Weight", "current"]
