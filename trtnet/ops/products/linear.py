"""The product with a weight of a layer."""

from __future__ import annotations

from math import prod

import numpy as np

from trtnet.graph import Parameter, Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import ndim_of
from trtnet.ops.elementwise.arithmetic import add, mul
from trtnet.ops.formulations import form
from trtnet.ops.products.layer import product
from trtnet.ops.reductions.reduce import sum


def linear(x: Tensor, weight: Parameter, bias: Parameter | None = None) -> Tensor:
    """``x @ weight.T + bias``.

    x: [..., in_features]. weight: [out_features, in_features], or [in_features]. bias: [out_features]. All of one
    floating dtype. Returns [..., out_features], or [...] for a weight of one dimension, in that dtype.
    Layer: IMatrixMultiplyLayer with a transposed constant, and IElementWiseLayer SUM for the bias; in the form
    "reduction" of "row" (one row), IElementWiseLayer PROD and IReduceLayer SUM.
    Raises LayerError for mixed dtypes, and for sizes that do not fit.
    """
    if is_row(x, weight) and _form_of_row(x, weight) == "reduction":
        y = sum(mul(x.unsqueeze(-2), weight), -1)
    else:
        y = product(x, weight, "NONE" if ndim_of(weight) == 1 else "TRANSPOSE")
    y = y if bias is None else add(y, bias)
    y.network.linear[y.storage.serial] = x.fresh(), weight, bias
    return y


def _form_of_row(x: Tensor, weight: Parameter) -> str:
    return form(x.network, "row", x.dtype, weights=prod(weight.shape), in_features=weight.shape[1])


def is_row(x: Tensor, weight: Operand) -> bool:
    """Whether `x` is one row, and the weight a matrix of its dtype and width."""
    return (
        isinstance(weight, Parameter | np.ndarray)
        and len(weight.shape) == 2
        and x.ndim > 0
        and all(size == 1 for size in x.shape[:-1])
        and x.shape[-1] == weight.shape[1]
        and x.dtype.is_floating
        and x.network.weight(weight).dtype == x.dtype
    )
