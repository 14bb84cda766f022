"""Plans of tiny networks made with TensorRT's own API, so that the runtime is tested apart from the rest of trtnet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from trtnet.builder import Plan, PlanInfo
from trtnet.support import backend, dtypes
from trtnet.support.backend import trt
from trtnet.support.call_interface import TensorInfo
from trtnet.support.diagnostics import logger

Sizes = tuple[int, int, int]
Body = Callable[[Any, Any], dict[str, Any]]

COLUMNS = 6


def _flags() -> int:
    flags = trt.NetworkDefinitionCreationFlag
    features = {"explicit_batch_flag": "EXPLICIT_BATCH", "strongly_typed_flag": "STRONGLY_TYPED"}
    return sum(1 << int(getattr(flags, member)) for feature, member in features.items() if backend.supports(feature))


def network(body: Body, dtype: str) -> tuple[Any, Any]:
    """A builder and its network: one input x [n, 6], and the outputs by name that `body` makes of it."""
    builder = trt.Builder(logger)
    made = builder.create_network(_flags())
    x = made.add_input("x", dtypes.get(dtype).trt, (-1, COLUMNS))
    for name, tensor in body(made, x).items():
        tensor.name = name
        made.mark_output(tensor)
    return builder, made


def plan(builder: Any, made: Any, dtype: str, *batches: Sizes) -> Plan:
    """The plan of a network, with a profile for each (min, opt, max) of n."""
    config = builder.create_builder_config()
    profiles = []
    for sizes in batches:
        shapes = tuple((n, COLUMNS) for n in sizes)
        profile = builder.create_optimization_profile()
        profile.set_shape("x", *shapes)
        config.add_optimization_profile(profile)
        profiles.append({"x": shapes})
    data = builder.build_serialized_network(made, config)
    assert data is not None
    outputs = (made.get_output(i) for i in range(made.num_outputs))
    info = PlanInfo(
        backend=backend.name(),
        backend_version=backend.version(),
        inputs=(TensorInfo("x", ("n", COLUMNS), dtype),),
        outputs=tuple(TensorInfo(t.name, ("n", *tuple(t.shape)[1:]), dtype) for t in outputs),
        profiles=tuple(profiles),
    )
    return Plan(bytes(data), info)


def relu_of_double(made: Any, x: Any) -> dict[str, Any]:
    """y = max(x + x, 0)"""
    total = made.add_elementwise(x, x, trt.ElementWiseOperation.SUM).get_output(0)
    return {"y": made.add_activation(total, trt.ActivationType.RELU).get_output(0)}


def double_and_square(made: Any, x: Any) -> dict[str, Any]:
    """double = x + x, square = x * x"""
    operations = {"double": trt.ElementWiseOperation.SUM, "square": trt.ElementWiseOperation.PROD}
    return {name: made.add_elementwise(x, x, kind).get_output(0) for name, kind in operations.items()}


def no_columns(made: Any, x: Any) -> dict[str, Any]:
    """y = the first 0 columns of x: an output without elements."""
    one_zero = made.add_constant((2,), np.array([1, 0], np.int64)).get_output(0)
    shape = made.add_elementwise(made.add_shape(x).get_output(0), one_zero, trt.ElementWiseOperation.PROD)
    layer = made.add_slice(x, (0, 0), (1, 1), (1, 1))
    layer.set_input(2, shape.get_output(0))
    return {"y": layer.get_output(0)}
