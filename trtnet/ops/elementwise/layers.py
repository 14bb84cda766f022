"""One layer for each element or pair of elements: casts, elementwise, unary, activation and select layers."""

from __future__ import annotations

from collections.abc import Mapping

from trtnet.graph import OpenNetwork, Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operand_order import is_apart, ordered
from trtnet.ops.arguments.operands import align, broadcast, ndim_of, network_of, tensor
from trtnet.ops.formulations import formulated
from trtnet.ops.positions.steps import by_position, elementwise
from trtnet.ops.shapes.first_parts import gathered
from trtnet.ops.shapes.shape import reshape
from trtnet.ops.shapes.turned import of_sources
from trtnet.ops.shapes.unmoved import unmoved
from trtnet.support import backend, dtypes
from trtnet.support.backend import trt
from trtnet.support.dtypes import DType, DTypeLike
from trtnet.support.errors import DTypeError


@by_position(elementwise)
def cast(x: Operand, dtype: DTypeLike) -> Tensor:
    """`x` in another dtype; `x` itself where it already has that dtype.

    x: any shape and dtype, a tensor, array or number. dtype: a DType or its name. Returns the shape of `x`, in `dtype`.
    Layer: ICastLayer; none for constants, which are converted immediately.
    Raises LayerError for an unknown dtype.
    """
    network = network_of(x)
    try:
        wanted = dtypes.get(dtype)
    except DTypeError as error:
        network.fail(f"cast: {error}", {"x": x})
    made = of_sources(lambda source: cast(source, wanted), x) if isinstance(x, Tensor) and x.dtype != wanted else None
    if made is not None:
        return made
    return tensor(x if isinstance(x, Tensor) and x.dtype == wanted else gathered(x), network, wanted)


@by_position(elementwise)
def layer(operation: str, x: Operand, y: Operand, name: str, dtype: DType) -> Tensor:
    """One IElementWiseLayer of operands of a dtype."""
    made = of_sources(lambda one, other: layer(operation, one, other, name, dtype), x, y)
    if made is not None:
        return made
    return plain_layer(operation, gathered(x), gathered(y), name, dtype)


def plain_layer(operation: str, x: Operand, y: Operand, name: str, dtype: DType) -> Tensor:
    """The same of first elements as slices: where what they are slices of is not in the same kernel."""
    a, b = align(name, unmoved(x), unmoved(y), dtype=dtype)
    if is_apart(operation, a, b):
        flat = [reshape(each, (*a.shape[:2], -1)) for each in (a, b)]
        return reshape(_layer(operation, flat[0], flat[1], name), a.shape)
    return _layer(operation, *ordered(operation, a, b), name)


def _layer(operation: str, a: Tensor, b: Tensor, name: str) -> Tensor:
    arguments = {"input1": a, "input2": b, "op": getattr(trt.ElementWiseOperation, operation)}
    hint = f"{name} got shapes that do not broadcast, or dtypes it does not take"
    (result,) = a.network.add("elementwise", arguments, name=name, hint=hint, dims=[broadcast(a, b)])
    return result


def no_uint8(name: str, dtype: DType, network: OpenNetwork, **operands: Operand) -> None:
    """Raises LayerError for a result of uint8."""
    if dtype == dtypes.uint8:
        text = "TensorRT has uint8 for inputs and outputs only: compute with x.int(), which is int32"
        network.fail(f"{name} of uint8: {text}", operands)


@by_position(elementwise)
def select(condition: Operand, x: Operand, y: Operand, dtype: DType, name: str) -> Tensor:
    """One layer of a dtype. Raises LayerError for uint8."""
    network = network_of(condition, x, y)
    no_uint8(name, dtype, network, x=x, y=y)
    ndim = max(ndim_of(operand) for operand in (condition, x, y))
    chosen = tensor(condition, network, dtypes.bool_, ndim)
    a, b = (tensor(gathered(side), network, dtype, ndim) for side in (x, y))
    known = all(each.trt in network.known for each in (chosen, a, b))
    return (_constants_selected if known else _selected)(chosen, a, b, name)


def _selected(x: Tensor, then: Tensor, other: Tensor, name: str) -> Tensor:
    arguments = {"condition": x, "then_input": then, "else_input": other}
    hint = f"{name} got shapes that do not broadcast"
    (result,) = x.network.add("select", arguments, name=name, hint=hint, dims=[broadcast(x, then, other)])
    return result


@formulated("select", "layer")
def _constants_selected(x: Tensor, then: Tensor, other: Tensor, name: str) -> Tensor:
    """Of constants and sizes, and of what is made of them."""
    result = _selected(x, then, other, name)
    x.network.chosen.setdefault(expression(x, then, other), result.fresh())
    return result


def expression(x: Tensor, then: Tensor, other: Tensor) -> tuple[object, ...]:
    """Equal for equal choices of one body of a network."""
    return (x.network.body, *(x.network.known.number(each.trt) for each in (x, then, other)))


@by_position(elementwise)
def unary(x: Operand, operation: str, name: str) -> Tensor:
    """One IUnaryLayer."""
    made = of_sources(lambda source: unary(source, operation, name), x)
    if made is not None:
        return made
    x = gathered(tensor(x, network_of(x)))
    arguments = {"input": x, "op": getattr(trt.UnaryOperation, operation)}
    (result,) = x.network.add("unary", arguments, name=name, hint=f"{name} does not take {x.dtype}", dims=[x.shape])
    return result


@by_position(elementwise)
def activation(x: Tensor, kind: str, name: str, attributes: Mapping[str, float] | None = None) -> Tensor:
    """One IActivationLayer, behind a ReLU where it needs one. Raises LayerError for a dtype that it does not take."""
    made = of_sources(lambda source: activation(source, kind, name, attributes), x)
    if made is not None:
        return made
    if kind in ("TANH", "SIGMOID") and _is_clipped_at_zero(x):
        x = activation(x, "RELU", name)
    arguments = {"input": gathered(x), "type": getattr(trt.ActivationType, kind)}
    hint = f"{name} does not take {x.dtype}"
    (y,) = x.network.add("activation", arguments, attributes=attributes, name=name, hint=hint, dims=[x.shape])
    return y


def _is_clipped_at_zero(x: Tensor) -> bool:
    """Whether `x` is a ReLU6 or the like, which a ReLU leaves as it is.

    TensorRT-RTX 1.6.1 sets both activations of ``conv(x).relu6().tanh()`` on the convolution, in float16 and float32,
    and makes no execution context then: "More than one activation specified". With a ReLU between them it sets one.
    """
    maker = x.network.layer_of(x.trt)
    if backend.name() != "tensorrt_rtx" or not isinstance(maker, trt.IActivationLayer):
        return False
    return bool(maker.type == trt.ActivationType.CLIP and maker.alpha == 0)


def floating(x: Operand) -> Tensor:
    """`x` if it is of floats; integers and bools in float32, torch's default dtype."""
    given = tensor(x, network_of(x))
    return given if given.dtype.is_floating else cast(given, dtypes.float32)
