"""The table of torch's functions of complex numbers, by name."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from trtnet import ops
from trtnet.definition.torch_module.complex_numbers import fourier, numbers as arithmetic
from trtnet.definition.torch_module.complex_numbers.numbers import Number, full, number
from trtnet.graph import Tensor

_ALIKE = """
expand expand_as view reshape permute transpose swapaxes swapdims movedim moveaxis t unsqueeze squeeze flatten unflatten
contiguous narrow select T.__get__ mT.__get__ roll flip fliplr flipud tile repeat repeat_interleave chunk split
tensor_split unbind sum mean cumsum clone detach index_select gather take_along_dim diagonal tril triu unfold ravel
requires_grad_ split_with_sizes unsafe_chunk unsafe_split rot90 diff
broadcast_to zero_ __getitem__ fft_fftshift fft_ifftshift pad constant_pad_nd cpu cuda data.__get__ resolve_neg
"""
ALIKE = frozenset(_ALIKE.split())
"""Functions of one complex tensor that are the same for both of its parts."""
JOINING = frozenset(("cat", "concat", "concatenate", "stack", "hstack", "vstack"))
QUESTIONS = frozenset(("ndim.__get__", "size", "dim", "numel", "nelement", "__len__"))
"""What the real part answers for both."""


def _of_numbers(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *given, **named: function(*map(number, given), **named)


def _swapped(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, y, **named: function(y, x, **named)


def _linear(x: Any, weight: Any, bias: Any = None) -> Number:
    product = arithmetic.multilinear(lambda a, b: ops.matmul(a, b.mT), number(x), number(weight))
    return product if bias is None else arithmetic.add(product, number(bias))


def _where(condition: Tensor, x: Any, y: Any) -> Number:
    pairs = zip((number(x).real, number(x).imaginary), (number(y).real, number(y).imaginary), strict=True)
    return Number(*(ops.where(condition, *(0.0 if part is None else part for part in pair)) for pair in pairs))


def _transform(kind: str) -> Callable[..., Any]:
    """torch.fft's function, whose sizes have one of two names."""
    if kind.endswith("fft"):
        return lambda input, n=None, dim=-1, norm=None: fourier.transform(kind, input, n, dim, norm)
    return lambda input, s=None, dim=None, norm=None: fourier.transform(kind, input, s, dim, norm)


def _view_as_complex(x: Tensor) -> Number:
    return Number(x.select(-1, 0), x.select(-1, 1))


_numbers = {
    "add": arithmetic.add,
    "sub": arithmetic.sub,
    "mul": arithmetic.mul,
    "truediv": arithmetic.div,
    "pow": arithmetic.power,
}
TABLE: dict[str, Callable[..., Any]] = {
    **{f"__{name}__": _of_numbers(function) for name, function in _numbers.items()},
    **{f"__r{name}__": _swapped(_of_numbers(function)) for name, function in _numbers.items()},
    "__rdiv__": _swapped(_of_numbers(arithmetic.div)),
    "rsub": _swapped(_of_numbers(arithmetic.sub)),
    **{name: _of_numbers(function) for name, function in _numbers.items() if name != "truediv"},
    **dict.fromkeys(("multiply", "__mul__"), _of_numbers(arithmetic.mul)),
    **dict.fromkeys(("subtract", "__sub__"), _of_numbers(arithmetic.sub)),
    **dict.fromkeys(("div", "divide", "true_divide"), _of_numbers(arithmetic.div)),
    **dict.fromkeys(("neg", "negative", "__neg__"), _of_numbers(arithmetic.neg)),
    **dict.fromkeys(("__pos__", "positive", "resolve_conj"), number),
    **dict.fromkeys(("conj", "conj_physical"), _of_numbers(arithmetic.conj)),
    "square": _of_numbers(arithmetic.square),
    "reciprocal": lambda x: arithmetic.div(Number(1.0), number(x)),
    "exp": _of_numbers(arithmetic.exp),
    "polar": arithmetic.polar,
    "complex": Number,
    "view_as_complex": _view_as_complex,
    "view_as_real": lambda x: ops.stack(list(full(x)), -1),
    **dict.fromkeys(("real", "real.__get__"), lambda x: full(number(x))[0]),
    **dict.fromkeys(("imag", "imag.__get__"), lambda x: full(number(x))[1]),
    **dict.fromkeys(("abs", "absolute", "__abs__"), _of_numbers(arithmetic.absolute)),
    "angle": _of_numbers(arithmetic.angle),
    **dict.fromkeys(
        ("matmul", "__matmul__", "mm", "bmm", "linalg_matmul"), functools.partial(arithmetic.multilinear, ops.matmul)
    ),
    "__rmatmul__": _swapped(functools.partial(arithmetic.multilinear, ops.matmul)),
    "einsum": functools.partial(arithmetic.multilinear, ops.einsum),
    "linear": _linear,
    "where": _where,
    "masked_fill": lambda x, mask, value: _where(mask, value, x),
    **{f"fft_{kind}": _transform(kind) for kind in fourier.KINDS},
    "stft": fourier.stft,
    "istft": fourier.istft,
    **dict.fromkeys(("is_complex",), lambda x: isinstance(x, Number)),
    **dict.fromkeys(("is_floating_point", "is_conj", "is_neg"), lambda x: False),
}
"""What each takes: tensors of the network and Numbers. What it gives: a Number, or a tensor that is real."""
