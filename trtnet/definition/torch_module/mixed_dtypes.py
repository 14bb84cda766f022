"""Floats of several dtypes in one product: as under autocast, those of 16 bits decide; torch without it refuses them.

A module that makes floats itself, such as coordinates or a table of cosines, makes float32 in a network of 16 bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trtnet.definition.torch_module.functions import CAST, WEIGHTED
from trtnet.graph import Network, Parameter, Tensor
from trtnet.graph.structures import leaves, mapped
from trtnet.support.dtypes import DType

_PRODUCTS = """
    matmul __matmul__ __rmatmul__ mm bmm mv dot inner addmm addmv addbmm baddbmm einsum tensordot chain_matmul
    linalg_matmul linalg_multi_dot scaled_dot_product_attention multi_head_attention_forward
    lstm gru rnn_tanh rnn_relu lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell
"""
PRODUCTS = frozenset(_PRODUCTS.split())
"""Operations whose operands are of one dtype."""
ATTENTION = frozenset(("scaled_dot_product_attention", "multi_head_attention_forward"))
"""Of these, the first three: a mask may have another."""

_PLACING = "scatter scatter_add scatter_reduce index_add index_copy index_reduce index_put masked_scatter"
PLACING = frozenset(each for name in _PLACING.split() for each in (name, f"{name}_"))
"""Operations that put elements into a tensor, which are of its dtype."""


def of_one_dtype(
    network: Network, name: str, args: Sequence[Any], named: Mapping[str, Any]
) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """The arguments of an operation, those that it takes in one dtype cast to it.

    A convolution's and nn.Linear's input has the dtype of their weights. Of a product, it is the one of 16 bits, or
    that of the weights. What is put into a tensor has the dtype of that.
    """
    if name in PLACING and args and isinstance(args[0], Tensor) and args[0].dtype.is_floating:
        x, *rest = args
        rest, some = mapped((rest, dict(named)), lambda leaf: _cast(leaf, x.dtype))
        return [x, *rest], some
    if name in CAST and args:
        weight = args[1] if len(args) > 1 else named.get("weight")
        if isinstance(weight, Parameter | np.ndarray):
            return [_cast(args[0], network.weight(weight).dtype), *args[1:]], named
    if name not in PRODUCTS:
        return args, named
    count = 3 if name in ATTENTION else len(args)
    given = args[:count], {key: value for key, value in named.items() if "mask" not in key}
    dtypes = {x.dtype for x in leaves(given) if isinstance(x, Tensor) and x.dtype.is_floating}
    weights = {network.weight(x).dtype for x in leaves((args, named)) if name in WEIGHTED and isinstance(x, Parameter)}
    narrow = {dtype for dtype in dtypes | weights if dtype.bits == 16} or weights
    if len(dtypes | weights) < 2 or len(narrow) != 1:
        return args, named
    (dtype,) = narrow
    first, some = mapped(given, lambda leaf: _cast(leaf, dtype))
    return [*first, *args[count:]], {**named, **some}


def _cast(x: Any, dtype: DType) -> Any:
    return x.to(dtype) if isinstance(x, Tensor) and x.dtype.is_floating and x.dtype != dtype else x
