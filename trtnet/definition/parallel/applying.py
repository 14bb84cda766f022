"""A plan applied to a network: what goes in and comes out divided, and what tells whether collectives work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from trtnet import ops
from trtnet.definition.parallel.plan import TensorParallel
from trtnet.graph import Input, Network
from trtnet.graph.memory.division import Division
from trtnet.nn import Module
from trtnet.ops.products.all_reduce import all_reduce
from trtnet.support.errors import ModelError

if TYPE_CHECKING:
    from trtnet.graph import Tensor


def part_of(
    model: Module, takes: Mapping[str, Input], plan: TensorParallel | None, *, quantized: bool
) -> tuple[Division, dict[str, Input]]:
    """(what of a model a rank has, what its network takes); all of it without a plan.

    Raises ModelError for what cannot be divided.
    """
    if plan is None:
        return Division(), dict(takes)
    if quantized:
        raise ModelError("parallel: quantized weights are not divided yet: give no quantization=")
    division = plan.division(model)
    if plan.ranks == 1:
        return Division(), dict(takes)
    return division, plan.inputs(takes, division)


def complete(network: Network, plan: TensorParallel | None) -> None:
    """Notes the outputs that are divided, and adds the sum of the ranks' numbers, by which an engine is checked.

    Raises ModelError for an output that is a rank's part without the plan saying so.
    """
    division = network.division
    if plan is None or division.ranks == 1:
        return
    for name, tensor in network.outputs.items():
        if division.has(tensor):
            division.outputs[name] = _axis(name, tensor, plan)
    division.check = all_reduce(ops.as_tensor(np.array([division.rank + 1], np.float32)))


def _axis(name: str, tensor: Tensor, plan: TensorParallel) -> int:
    axis = plan.axis(name)
    if axis is None or not -tensor.ndim <= axis < tensor.ndim:
        raise ModelError(
            f"parallel: output {name} [{', '.join(map(str, tensor.shape))}] is one rank's part: after a column-parallel"
            f" module there must be a row-parallel one; or say its axis, in divided={{{name!r}: axis}}"
        )
    return axis % tensor.ndim
