"""The product with a weight of a layer."""

from __future__ import annotations

from math import prod

import numpy as np

from trtnet.graph import Parameter, Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import ndim_of
from trtnet.ops.elementwise.arithmetic import add
from trtnet.ops.formulations import formulated
from trtnet.ops.formulations.facts import known
from trtnet.ops.normalization.behind import of_rows
from trtnet.ops.positions.steps import beside, by_position
from trtnet.ops.products.accumulation import product_with_weight
from trtnet.ops.products.all_reduce import all_reduce, check_divided
from trtnet.ops.products.flattened import Weights, ordered
from trtnet.ops.products.layer import product
from trtnet.ops.products.quantized import quantized_product
from trtnet.ops.quantization.weights import quantized, watch


@by_position(beside(lambda given: (-1,)), is_product=True)
def linear(x: Tensor, weight: Parameter, bias: Parameter | None = None) -> Tensor:
    """``x @ weight.T + bias``.

    x: [..., in_features]. weight: [out_features, in_features], or [in_features]. bias: [out_features]. All of one
    floating dtype. Returns [..., out_features], or [...] for a weight of one dimension, in that dtype.
    Layer: IMatrixMultiplyLayer with a transposed constant, and IElementWiseLayer SUM for the bias; other forms:
    ``trtnet.ops.forms.products``. Of a row-parallel weight the product is summed over the ranks, before the bias.
    Raises LayerError for mixed dtypes, and for sizes that do not fit.
    """
    watch(x, weight, bias)
    is_sum = x.network.division.is_sum(weight)
    if is_sum:
        check_divided(x, weight)
    found = quantized(x.network, weight)
    has_forms = found is None and is_matrix(x, weight)
    behind = of_rows(x, weight, bias) if has_forms and not is_sum else None
    if behind is not None:
        y = behind
    elif found is not None:
        x, y = quantized_product(x, weight, found)
    elif not has_forms:
        y = product(x, weight, "NONE" if ndim_of(weight) == 1 else "TRANSPOSE")
    else:
        y = multiplied(*ordered(x, weight))
    if is_sum:
        y = all_reduce(y)
        return y if bias is None else add(y, bias)
    if bias is not None and behind is None:
        y = biased(y, bias, *weight.shape) if has_forms else add(y, bias)
    if y.view_of is not None:  # what a form makes last; the layer's result is none
        y = y.fresh()
    y.network.linear[y.storage.serial] = x.fresh(), weight, bias
    return y


def multiplied(x: Tensor, weight: Weights) -> Tensor:
    """``x @ weight.T`` in the form that is chosen."""
    return _row(x, weight) if all(size == 1 for size in x.shape[:-1]) else _product(x, weight)


def facts(x: Tensor, weight: Weights) -> dict[str, int]:
    """How many rows are multiplied, and the sizes of the weight."""
    return {"rows": _rows(x), "weights": prod(weight.shape), "in_features": weight.shape[1]}


def _rows(x: Tensor) -> int:
    """How many vectors there are; many where a size is not known."""
    return prod(map(known, x.shape[:-1]))


@formulated("row", "product", facts=facts)
def _row(x: Tensor, weight: Weights) -> Tensor:
    return product_with_weight(x, weight, "TRANSPOSE")


@formulated("product", "transposed", facts=facts)
def _product(x: Tensor, weight: Weights) -> Tensor:
    return product_with_weight(x, weight, "TRANSPOSE")


def _bias_facts(y: Tensor, bias: Parameter, out_features: int, in_features: int) -> dict[str, int]:
    """How many rows of how many features, of how many, and whether these are no fewer, as before a residual sum."""
    narrows = int(out_features <= in_features)
    return {"rows": _rows(y), "out_features": out_features, "in_features": in_features, "narrows": narrows}


@formulated("bias", "add", facts=_bias_facts)
def biased(y: Tensor, bias: Parameter, out_features: int, in_features: int) -> Tensor:
    """A product [..., out_features] of vectors of in_features, plus a bias [out_features]."""
    return add(y, bias)


def is_matrix(x: Tensor, weight: Operand) -> bool:
    """Whether the weight is a constant matrix of the dtype and width of `x`."""
    return (
        isinstance(weight, Parameter | np.ndarray)
        and len(weight.shape) == 2
        and x.ndim > 0
        and x.shape[-1] == weight.shape[1]
        and x.dtype.is_floating
        and x.network.weight(weight).dtype == x.dtype
    )
