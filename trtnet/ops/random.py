"""Tensors of random numbers, new ones each time the engine runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trtnet.graph import Size, Tensor, current
from trtnet.graph.shapes import shape_tensor
from trtnet.graph.sizes.dim import is_static
from trtnet.ops.elementwise.layers import cast
from trtnet.support import dtypes
from trtnet.support.backend import trt
from trtnet.support.dtypes import DTypeLike


def rand(
    shape: Sequence[Size],
    dtype: DTypeLike | None = None,
    device: Any = None,
    *,
    layout: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Uniform values in [0, 1), new ones each time the engine runs.

    shape: ints or Dims. dtype: the network's dtype by default. Returns [*shape], floating, in that dtype.
    Layer: IFillLayer RANDOM_UNIFORM.
    Raises DTypeError for an unknown dtype.
    """
    return _random("RANDOM_UNIFORM", (0.0, 1.0), shape, dtype)


def randn(
    shape: Sequence[Size],
    dtype: DTypeLike | None = None,
    device: Any = None,
    *,
    layout: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Standard normal values, new ones each time the engine runs.

    shape: ints or Dims. dtype: the network's dtype by default. Returns [*shape], floating, in that dtype.
    Layer: IFillLayer RANDOM_NORMAL.
    Raises DTypeError for an unknown dtype.
    """
    return _random("RANDOM_NORMAL", (0.0, 1.0), shape, dtype)


def _random(kind: str, parameters: tuple[float, float], shape: Sequence[Size], dtype: DTypeLike | None) -> Tensor:
    network, sizes = current(), tuple(shape)
    wanted = network.dtype if dtype is None else dtypes.get(dtype)
    static = is_static(sizes)
    arguments = {"shape": sizes if static else (1,) * len(sizes), "op": getattr(trt.FillOperation, kind)}
    (y,) = network.add(
        "fill",
        arguments | {"output_type": trt.DataType.FLOAT},
        attributes={"alpha": parameters[0], "beta": parameters[1]},
        inputs={} if static else {0: shape_tensor(network, sizes)},
        name="random",
        dims=[sizes],
    )
    return cast(y, wanted)
