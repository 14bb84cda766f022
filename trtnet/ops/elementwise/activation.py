"""Activation functions, with torch.nn.functional's names and constants.

inplace, of those that have it in torch: ``trtnet.ops.writes.in_place`` writes the result to the first argument.
"""

from __future__ import annotations

from trtnet.graph import Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import tensor
from trtnet.ops.elementwise.arithmetic import maximum, mul
from trtnet.ops.elementwise.comparison import gt, lt, where
from trtnet.ops.elementwise.division import div
from trtnet.ops.elementwise.layers import activation, cast, floating
from trtnet.ops.elementwise.special import expm1
from trtnet.ops.elementwise.unary_functions import neg
from trtnet.ops.formulations import formulated
from trtnet.ops.formulations.facts import elements
from trtnet.ops.positions.steps import by_position, elementwise
from trtnet.ops.shapes.first_parts import gathered
from trtnet.ops.shapes.split import chunk
from trtnet.support.dtypes import bool_, float32


def relu(x: Tensor, inplace: bool = False) -> Tensor:
    """``max(x, 0)`` of each element.

    x: any shape, floating or integer. Returns the shape and dtype of `x`.
    Layer: IActivationLayer RELU; IElementWiseLayer MAX for integers.
    Raises LayerError for bools and uint8.
    Source: Nair and Hinton, 2010, "Rectified linear units improve restricted Boltzmann machines".
    """
    network = x.network
    if x.dtype == bool_:
        network.fail("relu does not take bool", {"x": x})
    return activation(x, "RELU", "relu") if x.dtype.is_floating else maximum(x, 0)


def relu6(x: Tensor, inplace: bool = False) -> Tensor:
    """``min(max(x, 0), 6)`` of each element.

    x: any shape, floating. Returns the shape and dtype of `x`.
    Layer: IActivationLayer CLIP.
    Raises LayerError for int32, int64 and bools.
    Source: Howard et al., 2017, arXiv:1704.04861.
    """
    return activation(x, "CLIP", "relu6", {"alpha": 0.0, "beta": 6.0})


def hardtanh(x: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """``min(max(x, min_val), max_val)`` of each element.

    x: any shape, floating. Returns the shape and dtype of `x`.
    Layer: IActivationLayer CLIP.
    Raises LayerError for int32, int64 and bools.
    Source: torch.nn.functional.hardtanh's documentation.
    """
    return activation(x, "CLIP", "hardtanh", {"alpha": min_val, "beta": max_val})


def sigmoid(x: Tensor) -> Tensor:
    """``1 / (1 + exp(-x))`` of each element.

    x: any shape, floating; integers and bools become float32. Returns the shape of `x`, in that floating dtype.
    Layer: IActivationLayer SIGMOID.
    Raises LayerError for an operand that is neither a tensor nor a number.
    Source: torch.sigmoid's documentation.
    """
    return activation(floating(x), "SIGMOID", "sigmoid")


def tanh(x: Tensor) -> Tensor:
    """The hyperbolic tangent of each element.

    x: any shape, floating; integers and bools become float32. Returns the shape of `x`, in that floating dtype.
    Layer: IActivationLayer TANH.
    Raises LayerError for an operand that is neither a tensor nor a number.
    Source: torch.tanh's documentation.
    """
    return activation(floating(x), "TANH", "tanh")


def leaky_relu(x: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """`x` where it is positive, else ``negative_slope * x``.

    x: any shape, floating. Returns the shape and dtype of `x`.
    Layer: IActivationLayer LEAKY_RELU.
    Raises LayerError for int32, int64 and bools.
    Source: Maas et al., 2013, "Rectifier nonlinearities improve neural network acoustic models".
    """
    return activation(x, "LEAKY_RELU", "leaky_relu", {"alpha": negative_slope})


def elu(x: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """`x` where it is positive, else ``alpha * (exp(x) - 1)``.

    x: any shape, floating. Returns the shape and dtype of `x`.
    Layer: IActivationLayer ELU.
    Raises LayerError for int32, int64 and bools.
    Source: Clevert et al., 2015, arXiv:1511.07289.
    """
    return activation(x, "ELU", "elu", {"alpha": alpha})


def gelu(x: Tensor, approximate: str = "none") -> Tensor:
    """``x * Phi(x)``, where Phi is the standard normal distribution function.

    x: any shape, floating. approximate: "none", or "tanh" for the approximation by tanh. Returns the shape and dtype of
    `x`.
    Layer: IActivationLayer GELU_ERF or GELU_TANH; other forms: ``trtnet.ops.forms.elementwise.gelu``.
    Raises LayerError for another `approximate`, and for int32, int64 and bools.
    Source: Hendrycks and Gimpel, 2016, arXiv:1606.08415.
    """
    kinds = {"none": "GELU_ERF", "tanh": "GELU_TANH"}
    if approximate not in kinds:
        x.network.fail(f"gelu: approximate is 'none' or 'tanh', found {approximate!r}", {"x": x})
    return _gelu(x, kinds[approximate])


def _gelu_facts(x: Tensor, kind: str) -> dict[str, int]:
    """The number of elements, and whether it is the exact function."""
    return {"elements": elements(x), "exact": int(kind == "GELU_ERF")}


@by_position(elementwise)
@formulated("gelu", "layer", facts=_gelu_facts)
def _gelu(x: Tensor, kind: str) -> Tensor:
    return activation(x, kind, "gelu")


def silu(x: Tensor, inplace: bool = False) -> Tensor:
    """``x * sigmoid(x)`` of each element, also called swish.

    x: any shape, floating; integers become float32. Returns the shape of `x`, in that floating dtype.
    Layer: none, decomposed into IActivationLayer SIGMOID and IElementWiseLayer PROD; other forms:
    ``trtnet.ops.forms.elementwise.silu``.
    Raises LayerError for an operand that is neither a tensor nor a number.
    Source: Elfwing et al., 2017, arXiv:1702.03118.
    """
    return _silu(floating(x))


@by_position(elementwise)
@formulated("silu", "product")
def _silu(x: Tensor) -> Tensor:
    return mul(x, sigmoid(x))


def hardsigmoid(x: Tensor, inplace: bool = False) -> Tensor:
    """``min(max(x / 6 + 1 / 2, 0), 1)`` of each element.

    x: any shape, floating. Returns the shape and dtype of `x`.
    Layer: IActivationLayer HARD_SIGMOID.
    Raises LayerError for int32, int64 and bools.
    Source: torch.nn.functional.hardsigmoid's documentation.
    """
    return activation(x, "HARD_SIGMOID", "hardsigmoid", {"alpha": 1 / 6, "beta": 0.5})


def hardswish(x: Tensor, inplace: bool = False) -> Tensor:
    """``x * hardsigmoid(x)`` of each element.

    x: any shape, floating. Returns the shape and dtype of `x`.
    Layer: none, decomposed into IActivationLayer HARD_SIGMOID and IElementWiseLayer PROD; other forms:
    ``trtnet.ops.forms.elementwise.hardswish``.
    Raises LayerError for int32, int64 and bools.
    Source: Howard et al., 2019, arXiv:1905.02244.
    """
    return _hardswish(x)


@formulated("hardswish", "product")
def _hardswish(x: Tensor) -> Tensor:
    return mul(x, hardsigmoid(x))


def selu(x: Tensor, inplace: bool = False) -> Tensor:
    """``scale * x`` where `x` is positive, else ``scale * alpha * (exp(x) - 1)``, with the paper's constants.

    x: any shape, floating. Returns the shape and dtype of `x`.
    Layer: IActivationLayer SELU.
    Raises LayerError for int32, int64 and bools.
    Source: Klambauer et al., 2017, arXiv:1706.02515.
    """
    return activation(x, "SELU", "selu", {"alpha": 1.6732632423543772, "beta": 1.0507009873554805})


def celu(x: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """`x` where it is positive, else ``alpha * (exp(x / alpha) - 1)``.

    x: any shape, floating; integers become float32. Returns the shape of `x`, in that floating dtype.
    Layer: IActivationLayer ELU for an alpha of 1, else elementwise layers in float32, since `x / alpha` may be
    infinite in the dtype of a finite `x`.
    Raises LayerError for an alpha of 0.
    Source: Barron, 2017, arXiv:1704.07483.
    """
    if alpha == 0:
        x.network.fail("celu divides by alpha, which is 0", {"x": x})
    if alpha == 1:
        return elu(x)
    return where(gt(x, 0), x, cast(mul(expm1(div(cast(x, float32), alpha)), alpha), x.dtype))


def softplus(x: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """``log(1 + exp(beta * x)) / beta``, and `x` where ``beta * x`` is above the threshold.

    x: any shape, floating. Returns the shape and dtype of `x`.
    Layer: IActivationLayer SOFTPLUS, and ISelectLayer for the threshold.
    Raises LayerError for int32, int64 and bools.
    Source: torch.nn.functional.softplus's documentation.
    """
    y = activation(x, "SOFTPLUS", "softplus", {"alpha": 1 / beta, "beta": beta})
    above = gt if beta > 0 else lt
    return where(above(x, threshold / beta), x, y)


def softsign(x: Tensor) -> Tensor:
    """``x / (1 + abs(x))`` of each element.

    x: any shape, floating. Returns the shape and dtype of `x`.
    Layer: IActivationLayer SOFTSIGN.
    Raises LayerError for int32, int64 and bools.
    Source: torch.nn.functional.softsign's documentation.
    """
    return activation(x, "SOFTSIGN", "softsign")


def logsigmoid(x: Tensor) -> Tensor:
    """``log(sigmoid(x))``, computed as ``-softplus(-x)``.

    x: any shape, floating. Returns the shape and dtype of `x`.
    Layer: none, decomposed into IActivationLayer SOFTPLUS, IUnaryLayer NEG and ISelectLayer.
    Raises LayerError for int32, int64 and bools.
    Source: torch.nn.functional.logsigmoid's documentation.
    """
    return neg(softplus(neg(x)))


def mish(x: Tensor, inplace: bool = False) -> Tensor:
    """``x * tanh(softplus(x))`` of each element.

    x: any shape, floating. Returns the shape and dtype of `x`.
    Layer: none, decomposed into IActivationLayer SOFTPLUS and TANH, and IElementWiseLayer PROD.
    Raises LayerError for int32, int64 and bools.
    Source: Misra, 2019, arXiv:1908.08681.
    """
    return mul(x, tanh(softplus(x)))


def prelu(x: Tensor, weight: Operand) -> Tensor:
    """`x` where it is positive, else ``weight * x``.

    x: [batch, channels, ...] or fewer dimensions, floating. weight: [1] or [channels], of the dtype of `x`. Returns the
    shape and dtype of `x`.
    Layer: IParametricReLULayer; below two dimensions, IElementWiseLayer PROD and ISelectLayer.
    Raises LayerError for integers, and for a weight of another size.
    Source: He et al., 2015, arXiv:1502.01852.
    """
    slopes = tensor(weight, x.network, x.dtype)
    if x.ndim < 2:
        return where(gt(x, 0), x, mul(slopes.reshape(()) if x.ndim == 0 else slopes, x))
    slopes = slopes.reshape(1, -1, *(1,) * (x.ndim - 2)) if x.ndim > 1 else slopes
    (y,) = x.network.add("parametric_relu", {"input": gathered(x), "slopes": slopes}, name="prelu", dims=[x.shape])
    return y


def rrelu(
    x: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    """leaky_relu with the mean of the two slopes, as torch computes it at inference.

    x: any shape, floating. Returns the shape and dtype of `x`.
    Layer: IActivationLayer LEAKY_RELU.
    Raises LayerError for training=True, where the slopes are random.
    Source: Xu et al., 2015, arXiv:1505.00853.
    """
    if training:
        x.network.fail(
            "rrelu: training draws random slopes, but an engine only runs inference; omit training=True", {"x": x}
        )
    return leaky_relu(x, (lower + upper) / 2)


def glu(x: Tensor, dim: int = -1) -> Tensor:
    """The first half along `dim` times the sigmoid of the second half.

    x: [..., 2 n, ...], floating. Returns [..., n, ...], in the dtype of `x`.
    Layer: none, decomposed into ISliceLayer, IActivationLayer SIGMOID and IElementWiseLayer PROD.
    Raises LayerError for a `dim` out of range.
    Source: Dauphin et al., 2016, arXiv:1612.08083.
    """
    left, right = chunk(x, 2, dim)
    return mul(left, sigmoid(right))
