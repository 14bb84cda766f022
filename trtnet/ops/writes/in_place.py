"""In-place operations: the operations of torch that change their first argument.

Each computes what the operation of its name computes and writes that to the tensor (``graph/tensors/storage.py``
decides which other tensors share its memory). The tensor keeps its dtype and its shape, as in torch. Layers: those of
the operation.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from trtnet.graph import Parameter, Tensor
from trtnet.graph.memory.storage import update
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import tensor
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.shapes.expansion import expand
from trtnet.ops.shapes.views import diagonal
from trtnet.support.errors import ModelError
from trtnet.support.source import here
from trtnet.support.text.did_you_mean import missing
from trtnet.support.text.messages import type_name

_METHODS_NAMES = """
abs absolute acos acosh add addbmm addcdiv addcmul addmm addmv addr arccos arccosh arcsin arcsinh arctan
arctan2 arctanh asin asinh atan atan2 atanh baddbmm bitwise_and bitwise_left_shift bitwise_not bitwise_or
bitwise_right_shift bitwise_xor ceil clamp clamp_max clamp_min clip copysign cos cosh cumprod cumsum deg2rad
digamma div divide eq erf erfc erfinv exp exp2 expm1 fix float_power floor floor_divide fmod frac gcd ge
greater greater_equal gt heaviside hypot i0 igamma igammac index_add index_copy index_fill index_put
index_reduce lcm ldexp le lerp less less_equal lgamma log log10 log1p log2 logical_and logical_not logical_or
logical_xor logit lt masked_fill masked_scatter mul multiply mvlgamma nan_to_num ne neg negative nextafter
not_equal polygamma pow put rad2deg reciprocal relu remainder renorm round rsqrt scatter scatter_add
scatter_reduce sgn sigmoid sign sin sinc sinh sqrt square sub subtract tan tanh tril triu true_divide trunc
xlogy
"""
METHODS = frozenset(_METHODS_NAMES.split())
"""The operations of which torch's tensors have a method in place, by the name with an underscore behind."""

_FUNCTIONS_NAMES = """
celu elu hardsigmoid hardswish hardtanh leaky_relu mish relu relu6 rrelu selu silu threshold
"""
FUNCTIONS = frozenset(_FUNCTIONS_NAMES.split())
"""The functions of torch.nn.functional that take ``inplace``."""

_RESHAPING_NAMES = """
as_strided resize resize_as set squeeze swapaxes swapdims t transpose unsqueeze
"""
_RESHAPING = frozenset(_RESHAPING_NAMES.split())
_RANDOM_NAMES = """
bernoulli cauchy exponential geometric log_normal normal random uniform
"""
_RANDOM = frozenset(_RANDOM_NAMES.split())


def in_place(name: str) -> Callable[..., Tensor]:
    """The operation that writes what ``ops.name`` gives to its first argument, and returns that."""

    def operation(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        target = target_of(x)
        value = getattr(sys.modules["trtnet.ops"], name)(target, *args, **kwargs)
        return assign(target, value, f"{name}_")

    operation.__name__ = operation.__qualname__ = f"{name}_"
    operation.__doc__ = _documented(name, inspect.getdoc(getattr(sys.modules["trtnet.ops"], name)) or "")
    return operation


def _documented(name: str, doc: str) -> str:
    """The docstring of an operation in place, by that of the operation."""
    layer = doc.partition("\nLayer: ")[2].partition("\nRaises")[0]
    source = doc.partition("\nSource: ")[2]
    return f"""``ops.{name}``, written to `x` in place.

x: a tensor of the network, of any shape; it keeps its shape and its dtype. The other arguments are those of `{name}`.
Returns `x`.
Layer: {layer}
Raises LayerError for a result of another shape, or of a dtype that torch does not cast to that of `x`, and wherever
`{name}` does; ModelError for a parameter, which cannot be changed.
{f"Source: {source}" if source else ""}""".rstrip()


def in_place_method(x: Tensor, name: str) -> Any:
    """torch's method ``x.name``, name with an underscore at its end. Raises AttributeError for another name."""
    plain = name.removesuffix("_")
    if name in OWN:
        return functools.partial(OWN[name], x)
    if plain in METHODS and hasattr(sys.modules["trtnet.ops"], plain):
        return functools.partial(in_place(plain), x)
    reason = ""
    if plain in METHODS:
        reason = f"trtnet.ops has no {plain} to write"
    if plain in _RESHAPING:
        reason = f"it would change the shape of the tensor itself; write x = x.{plain}(...)"
    if plain in _RANDOM:
        reason = "an engine's random numbers are those of ops.rand and ops.randn"
    there = sys.modules["trtnet.ops"].__all__
    raise missing("a Tensor", name, [*there, *OWN, *(f"{other}_" for other in METHODS.intersection(there))], reason)


def in_place_function(name: str) -> Callable[..., Tensor] | None:
    """torch's function ``name``, which ends with an underscore: ``relu_``. None for another name."""
    plain = name.removesuffix("_")
    if name in OWN:
        return OWN[name]
    there = name != plain and plain in METHODS | FUNCTIONS and hasattr(sys.modules["trtnet.ops"], plain)
    return in_place(plain) if there else None


def with_in_place(name: str, operation: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A function whose argument ``inplace``, as in torch, makes it write the result to its first argument."""
    if name not in FUNCTIONS:
        return operation
    signature = inspect.signature(operation)

    @functools.wraps(operation)
    def function(*args: Any, **kwargs: Any) -> Tensor:
        arguments = signature.bind(*args, **kwargs).arguments
        if not arguments.pop("inplace", False):
            return operation(**arguments)
        target = target_of(next(iter(arguments.values())))
        return assign(target, operation(**arguments), f"{name}_")

    return function


def assign(x: Tensor, value: Tensor, name: str) -> Tensor:
    """Gives `x` the value of another tensor, in the dtype of `x`. Returns `x`.

    Raises LayerError for a value of another shape, or of a dtype that torch does not turn into that of `x` unasked, as
    float32 into int64.
    """
    if _kind(value) > _kind(x):
        text = f"{name} gives {value.dtype}, which a tensor of {x.dtype} cannot take in place; write x = x.{name[:-1]}"
        x.network.fail(text, {"x": x, "result": value})
    if not _fits(value, x):
        x.network.fail(f"{name} gives another shape than that of the tensor it writes to", {"x": x, "result": value})
    update(x, cast(value, x.dtype))
    return x


def copy_(x: Tensor, src: Operand, non_blocking: bool = False) -> Tensor:
    """Writes the elements of `src` to `x`, broadcast to its shape and cast to its dtype.

    x: any shape and dtype. src: a tensor of a shape that broadcasts to that of `x`, or a number. Returns `x`.
    Layer: none; ICastLayer and ISliceLayer where dtype or shape differ.
    Raises LayerError for a shape that does not broadcast; ModelError for a parameter.
    """
    target = target_of(x)
    value = cast(given(target, src, target.ndim), target.dtype)
    if not _broadcasts(value, target):
        target.network.fail(
            "copy_ of a shape that does not broadcast to that of the tensor", {"x": target, "src": value}
        )
    update(target, value if value.shape == target.shape else expand(value, target.shape))
    return target


def fill_(x: Tensor, value: Operand) -> Tensor:
    """Writes one value to every element of `x`.

    x: any shape and dtype. value: a number, or a tensor of shape []. Returns `x`.
    Layer: IConstantLayer, and ISliceLayer with stride 0.
    Raises LayerError for a value with dimensions; ModelError for a parameter.
    """
    if len(getattr(value, "shape", ())) > 0:
        target_of(x).network.fail("fill_ takes a number, or a tensor of no dimensions", {"x": x, "value": value})
    return copy_(x, value)


def zero_(x: Tensor) -> Tensor:
    """Writes 0 to every element of `x`.

    x: any shape and dtype. Returns `x`.
    Layer: IConstantLayer, and ISliceLayer with stride 0.
    Raises ModelError for a parameter, which cannot be changed.
    """
    return copy_(x, 0)


def fill_diagonal_(x: Tensor, fill_value: float, wrap: bool = False) -> Tensor:
    """Writes one value to the diagonal of a matrix.

    x: [n, m], of any dtype. fill_value: a number. Returns `x`.
    Layer: IScatterLayer.
    Raises LayerError for another rank, and for wrap=True; ModelError for a parameter.
    """
    target = target_of(x)
    if target.ndim != 2 or wrap:
        target.network.fail("fill_diagonal_ takes a matrix, and does not wrap", {"x": target})
    fill_(diagonal(target), fill_value)
    return target


def detach_(x: Tensor) -> Tensor:
    """`x` itself: a network has no gradients.

    x: any shape and dtype. Returns `x`.
    Layer: none.
    Raises nothing.
    """
    return x


OWN: dict[str, Callable[..., Tensor]] = {
    "copy_": copy_,
    "fill_": fill_,
    "zero_": zero_,
    "fill_diagonal_": fill_diagonal_,
    "detach_": detach_,
}


def given(x: Tensor, value: Operand, ndim: int = 0) -> Tensor:
    """What is written to `x`, as a tensor; a number has `ndim` axes, and is of the dtype of `x` as torch casts it."""
    if not isinstance(value, int | float):
        return tensor(value, x.network)
    return tensor(np.asarray(value).astype(x.dtype.numpy), x.network, ndim=ndim)


def target_of(x: Any) -> Tensor:
    """What is written to: a parameter as the tensor that refuses it."""
    if isinstance(x, Parameter):
        return _refused(x)
    if not isinstance(x, Tensor):
        raise ModelError(here(f"an operation in place takes a tensor of the network, found {type_name(x)}"))
    return x


def _refused(parameter: Parameter) -> NoReturn:
    kind = type(parameter).__name__.lower()
    text = (
        f"a {kind} cannot be changed while a network is defined: an engine's weights are constants; .clone() it first"
    )
    raise ModelError(here(f"{parameter!r}: {text}"))


def _kind(x: Tensor) -> int:
    """bool, integers, floats."""
    return 2 if x.dtype.is_floating else int(x.dtype.name != "bool")


def _fits(value: Tensor, x: Tensor) -> bool:
    """Whether a value may be of the shape of `x`, as far as that is known."""
    if value.ndim != x.ndim:
        return False
    return all(
        a == b or not (isinstance(a, int) and isinstance(b, int)) for a, b in zip(value.shape, x.shape, strict=True)
    )


def _broadcasts(value: Tensor, x: Tensor) -> bool:
    sizes = zip(reversed(value.shape), reversed(x.shape), strict=False)
    return value.ndim <= x.ndim and all(
        a in (1, b) or not (isinstance(a, int) and isinstance(b, int)) for a, b in sizes
    )
