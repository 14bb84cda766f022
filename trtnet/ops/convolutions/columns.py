"""Convolutions as products whose columns are the pixels of all images, which are kept with their channels first of all.

TensorRT computes what follows in the kernel of such a product, and depthwise convolutions by the overlap-add method
(``trtnet.ops.forms.convolutions.depthwise``) take and make images of this order.
"""

from __future__ import annotations

from trtnet.graph import Size, Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import tensor
from trtnet.ops.convolutions.kinds import Constant
from trtnet.ops.elementwise.arithmetic import add
from trtnet.ops.products.accumulation import product_with_weight
from trtnet.ops.shapes.turned import turned, turning

BATCH_SECOND = (1, 0, 2, 3)
"""The axes of [channels, batch, height, width] in the order of an image, and the other way round."""


def are_columns(x: Tensor, *_: object) -> bool:
    """Whether the image is kept with its channels before its batch."""
    found = turning(x)
    return found is not None and found.order == BATCH_SECOND


def columns(x: Tensor, weight: Constant, bias: Operand | None, sizes: tuple[Size, ...]) -> Tensor:
    """The kernel times what is under its windows, and a bias.

    x: [*axes of the kernel behind the first one, *sizes]. sizes: the batch, the rows and the columns of the result.
    Returns [batch, out_channels, rows, columns], kept as [out_channels, batch, rows, columns].
    """
    out = int(weight.shape[0])
    kernel = tensor(weight, x.network).reshape(out, -1)
    y = product_with_weight(kernel, x.reshape(kernel.shape[1], -1), "NONE")
    if bias is not None:
        y = add(y, tensor(bias, x.network).reshape(out, 1))
    return turned(y.reshape(out, *sizes), BATCH_SECOND)
