"""The dtype that products of float16 with weights are summed in: TensorRT's choice, or float32, as in torch."""

from __future__ import annotations

from math import prod

from trtnet.graph import Tensor
from trtnet.ops.formulations import formulated
from trtnet.ops.formulations.facts import known
from trtnet.ops.products.flattened import Weights
from trtnet.ops.products.layer import product
from trtnet.support.dtypes import float16


def product_with_weight(x: Tensor, y: Tensor | Weights, op1: str) -> Tensor:
    """``x @ y``, or ``x @ y.T`` with TRANSPOSE, of which one is a weight; of float16 in the form that is chosen."""
    return _accumulated(x, y, op1) if x.dtype == float16 else product(x, y, op1)


def _facts(x: Tensor, y: Tensor | Weights, op1: str) -> dict[str, int]:
    """How many rows are multiplied, the sizes of the weight, and whether the results are no wider than the rows."""
    out_features = known(y.shape[-2 if op1 == "TRANSPOSE" else -1])
    rows, in_features = prod(map(known, x.shape[:-1])), known(x.shape[-1])
    narrows = int(out_features <= in_features)
    return {"rows": rows, "in_features": in_features, "out_features": out_features, "narrows": narrows}


@formulated("accumulation", "native", facts=_facts, is_tuned=False)
def _accumulated(x: Tensor, y: Tensor | Weights, op1: str) -> Tensor:
    return product(x, y, op1)
