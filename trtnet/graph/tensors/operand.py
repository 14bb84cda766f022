"""What an operation of ``trtnet.ops`` takes where it takes a tensor."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from trtnet.graph.sizes.dim import Dim
from trtnet.graph.sizes.real import Real
from trtnet.graph.tensors.parameter import Parameter
from trtnet.graph.tensors.tensor import Tensor

Operand: TypeAlias = Tensor | Parameter | np.ndarray[Any, Any] | Dim | Real | float | int | bool
