"""A depthwise convolution whose bias is behind a permutation, so that TensorRT has a kernel for it alone."""

from __future__ import annotations

from trtnet.graph import Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import tensor
from trtnet.ops.arguments.window_arguments import Padding, Window
from trtnet.ops.convolutions.conv import convolution
from trtnet.ops.convolutions.kinds import Constant
from trtnet.ops.elementwise.arithmetic import add
from trtnet.ops.forms.permuted import between_permutations
from trtnet.ops.formulations import form


def has_bias(
    x: Tensor, weight: Constant, bias: Operand | None, stride: Window, padding: Padding, dilation: Window
) -> bool:
    """Whether it has a bias."""
    return bias is not None


@form("depthwise", "apart", applies=has_bias)
def apart(
    x: Tensor, weight: Constant, bias: Operand | None, stride: Window, padding: Padding, dilation: Window
) -> Tensor:
    """The convolution without a bias, between permutations the bias, and what TensorRT fuses with that.

    TensorRT-RTX's kernels for depthwise convolutions are slower by more than a kernel with what is fused behind them.
    On an H200 at batch 32, 768 channels of 32 x 32 pixels and windows of 7x7 take 375 us in float16; with a bias 395,
    with a bias, a ReLU, a batch norm and a residual sum 516. x: [batch, channels, height, width].
    """
    assert bias is not None
    shifts = tensor(bias, x.network).reshape(-1, 1, 1, 1)
    y = convolution(x, weight, None, stride, padding, dilation, int(weight.shape[0]), rank=2)
    return between_permutations(lambda z: add(z, shifts), y)
