"""A depthwise convolution as a sum of the image at each place of the window, each times the kernel's numbers there.

The image has its channels last, so that one number after the other of a place is multiplied, and all is one kernel of
TensorRT's. Its kernels for depthwise convolutions multiply without tensor cores, too: on an H200 at batch 32,
TensorRT-RTX 1.6.1 takes 819 us for a ConvMixer block of 768 channels and 32 x 32 pixels with windows of 7x7 in float16,
436 us so; 364 and 305 us for a ConvNeXt-T block of 96 channels and 56 x 56 pixels, but 116 and 123 us for 384 channels
and 14 x 14.
"""

from __future__ import annotations

from functools import reduce

from trtnet.graph import Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import tensor
from trtnet.ops.arguments.window_arguments import Padding, Window
from trtnet.ops.convolutions.kinds import Constant
from trtnet.ops.elementwise.arithmetic import add, mul
from trtnet.ops.forms.convolutions.depthwise.toeplitz import axes_of
from trtnet.ops.forms.convolutions.windows import have_few_places
from trtnet.ops.forms.moved_weights import moved_weight
from trtnet.ops.formulations import form
from trtnet.ops.shapes.pad import pad


def has_few_places(
    x: Tensor, weight: Constant, bias: Operand | None, stride: Window, padding: Padding, dilation: Window
) -> bool:
    """Whether windows of at most 64 places are in the image, from which padding takes nothing away."""
    return have_few_places(axes_of(x, weight, bias, stride, padding, dilation))


@form("depthwise", "shifted", applies=has_few_places)
def shifted(
    x: Tensor, weight: Constant, bias: Operand | None, stride: Window, padding: Padding, dilation: Window
) -> Tensor:
    """A product for each place of the window, and their sum.

    x: [batch, channels, height, width]. weight: [channels, 1, rows, columns]. Returns [batch, channels, ...].
    """
    high, wide = axes_of(x, weight, bias, stride, padding, dilation)
    image = pad(x, (wide.before, wide.after, high.before, high.after)).permute(0, 2, 3, 1)
    shape = (1, 1, 1, int(weight.shape[0]))

    def moved(row: int, column: int) -> Tensor:
        numbers = moved_weight(x, weight, shape, lambda kernel: kernel[:, 0, row, column].reshape(shape))
        return mul(image[:, high.under(row), wide.under(column)], numbers)

    total = reduce(add, (moved(row, column) for row in range(high.window) for column in range(wide.window)))
    y = total if bias is None else add(total, tensor(bias, x.network))
    return y.permute(0, 3, 1, 2)
