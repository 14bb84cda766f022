"""The sum of a tensor over the ranks that compute a network together."""

from __future__ import annotations

from trtnet.graph import Parameter, Tensor
from trtnet.support import backend
from trtnet.support.backend import supports, trt


def all_reduce(x: Tensor) -> Tensor:
    """The sum over all ranks, the same on each.

    x: any shape, floating or int32. Returns the shape and dtype of `x`.
    Layer: IDistCollectiveLayer ALL_REDUCE of SUM, with the number of ranks.
    Raises LayerError where the backend has no collectives: TensorRT before 10.16.
    """
    network = x.network
    if not supports("collectives"):
        text = f"{backend.name()} {backend.version()} has no collectives: tensor parallelism needs TensorRT 10.16"
        network.fail(f"{text} or newer, or TensorRT-RTX 1.4 or newer", {"x": x})
    collective = {"dist_collective_op": trt.CollectiveOperation.ALL_REDUCE, "reduce_op": trt.ReduceOperation.SUM}
    arguments = {"input": x, **collective, "root": -1, "groups": []}
    attributes = {"num_ranks": network.division.ranks}
    (y,) = network.add("dist_collective", arguments, attributes=attributes, name="all_reduce", dims=[x.shape])
    network.division.summed(y)
    return y


def check_divided(x: Tensor, weight: Parameter) -> None:
    """Raises LayerError for an input of a row-parallel product that is whole: its sum over the ranks means nothing."""
    network = x.network
    if not network.division.has(x):
        where = network.division.sums[weight]
        text = (
            f"{where} is row-parallel and its input is whole on every rank: a module before it must be column-parallel"
        )
        network.fail(text, {"x": x, "weight": network.weight(weight)})
