"""A float16 product whose sums are float32.

TensorRT sums the products of float16 in float16, torch in float32. Casts to float32 around a product, with nothing
between it and the last, are not computed: TensorRT takes a kernel with float32 sums. The weights stay float16.
On an H200 (TensorRT-RTX 1.6.1) a product of 32 x 25088 and 25088 x 4096 is 2.7e-4 from the exact one, 4.1e-3 without,
in the same time; one of 6304 x 768 and 768 x 3072 takes a tenth longer.
"""

from __future__ import annotations

from trtnet.graph import Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import tensor
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.forms.dtypes import is_float16
from trtnet.ops.formulations import form
from trtnet.ops.products.layer import product
from trtnet.support.dtypes import float32


@form("accumulation", "float32")
def product_in_float32(x: Tensor, y: Operand, op1: str) -> Tensor:
    """TensorRT-RTX sums in float32."""
    return cast(product(cast(x, float32), cast(tensor(y, x.network), float32), op1), x.dtype)


def product_of_float32_sums(x: Tensor, columns: Tensor) -> Tensor:
    """``x @ columns.mT`` with sums in float32, in the dtype of `x`: bfloat16 is summed so anyway."""
    return product_in_float32(x, columns, "TRANSPOSE") if is_float16(x) else product(x, columns, "TRANSPOSE")
