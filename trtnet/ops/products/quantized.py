"""Products with weights that a network holds quantized."""

from __future__ import annotations

import numpy as np

from trtnet.graph import Parameter, Tensor
from trtnet.graph.quantized import QuantizedParameter
from trtnet.ops.elementwise.arithmetic import mul, sub
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.products.layer import product
from trtnet.ops.quantization.weights import Kernel, block_sums, prepared, prepared_rows, quantized_weight


def quantized_product(x: Tensor, weight: Parameter, found: QuantizedParameter) -> tuple[Tensor, Tensor]:
    """(the inputs as the product takes them, the product)."""
    if len(weight.shape) != 2 or x.ndim == 0 or x.shape[-1] != weight.shape[1]:
        return x, product(x, quantized_weight(x.network, weight, found), "TRANSPOSE")
    inputs, kernel = prepared(x, weight, found)
    return inputs, _computed(inputs, kernel)


def product_of_rows(
    inputs: Tensor, weight: Parameter, found: QuantizedParameter, rows: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
) -> Tensor:
    """The product of some rows of the weight with inputs that another product with it takes."""
    return _computed(inputs, prepared_rows(inputs, weight, found, rows))


def _computed(inputs: Tensor, kernel: Kernel) -> Tensor:
    y = product(inputs, kernel.weight, "TRANSPOSE")
    if kernel.correction is not None:
        y = sub(y, product(block_sums(inputs, kernel.correction), kernel.correction, "TRANSPOSE"))
    return y if kernel.factor is None else cast(mul(cast(y, kernel.factor.dtype), kernel.factor), y.dtype)
