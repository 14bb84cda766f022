"""Functions of each element, and of the dtypes of two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from ops.cases.case import NS, Case, library, of_both, same

from trtnet import ops

SLOPES = np.random.default_rng(31).uniform(0.1, 0.4, 3)
FLOAT32 = ("float32",)
INTS = {"dtypes": FLOAT32, "input_dtypes": ("int64", "int64")}


def unary(name: str, positive: bool = False, **options: Any) -> Case:
    return Case(name, getattr(ops, name), getattr(torch, name), (("n", 3, "s"),), positive=positive, **options)


def activation(name: str, *arguments: Any) -> Case:
    ours, theirs = getattr(ops, name), getattr(F, name)
    return Case(
        f"{name}{arguments or ''}", lambda x: ours(x, *arguments), lambda x: theirs(x, *arguments), (("n", 3, "s"),)
    )


def gelu_tanh(f: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x: f(x, approximate="tanh")


def prelu(library: Any, slopes: np.ndarray) -> Callable[..., Any]:
    return lambda x: library.prelu(
        x, torch.as_tensor(slopes).to(x.dtype) if isinstance(x, torch.Tensor) else slopes.astype(x.dtype.numpy)
    )


def special(name: str, ours: Callable[..., Any], theirs: Callable[..., Any]) -> Case:
    """A function of values among which there are infinities and NaN."""

    def with_special(x: Any) -> Any:
        return x / (x * 0 + 1) + 1 / (x - x)  # inf everywhere

    return Case(name, lambda x: ours(with_special(x)), lambda x: theirs(with_special(x)), (NS,), ("float32",))


def infinite(x: Any) -> Any:
    """NaN, both infinities and numbers."""
    one = x * 0 + 1
    signs = library(x).where(x > 0, one, -one)
    return library(x).where(abs(x) < 0.2, (x - x) / (x - x), library(x).where(abs(x) > 0.8, signs / (x - x), x))


ELEMENTWISE_CASES = [
    same("add", lambda x, y: x + y, NS, NS),
    same("add broadcast", lambda x, y: x + y, NS, (3, 1)),
    same("add scalar", lambda x: x + 2, NS),
    same("radd", lambda x: 2.5 + x, NS),
    same("sub", lambda x, y: x - y, NS, NS),
    same("rsub", lambda x: 1 - x, NS),
    same("mul", lambda x, y: x * y, NS, ("n", 1, "s")),
    same("div", lambda x, y: x / y, NS, NS),
    same("rdiv", lambda x: 3 / x, NS),
    same("int div", lambda x, y: x / y, NS, NS, dtypes=("float32",), input_dtypes=("int64", "int64")),
    same("int floordiv", lambda x, y: x // y, NS, NS, dtypes=("float32",), input_dtypes=("int64", "int64")),
    same("int mod", lambda x, y: x % y, NS, NS, dtypes=("float32",), input_dtypes=("int32", "int32")),
    same("floordiv", lambda x: x // 0.75, NS, dtypes=("float32",)),
    same("mod", lambda x: x % 2.0, NS, dtypes=("float32",)),
    same("pow scalar", lambda x: x**3, NS, positive=True),
    same("square", lambda x: x**2, NS),
    same("rpow", lambda x: 2**x, NS),
    same("neg", lambda x: -x, NS),
    same("abs method", lambda x: abs(x), NS),
    same("promote int float", lambda x, y: x + y, NS, NS, dtypes=("float32",), input_dtypes=("int64", "float32")),
    same("promote int32 int64", lambda x, y: x * y, NS, NS, dtypes=("float32",), input_dtypes=("int32", "int64")),
    same("less", lambda x, y: x < y, NS, NS),
    same("less equal", lambda x: x <= 0.0, NS),
    same("greater", lambda x: x > 0, NS),
    same("greater equal", lambda x, y: x >= y, NS, NS),
    same("equal", lambda x, y: x == y, NS, NS, dtypes=("float32",), input_dtypes=("int64", "int64")),
    same("not equal", lambda x, y: x != y, NS, NS, dtypes=("float32",), input_dtypes=("int64", "int64")),
    same("and or", lambda x, y: (x & y) | ~x, NS, NS, dtypes=("float32",), input_dtypes=("bool", "bool")),
    same("xor", lambda x, y: x ^ y, NS, NS, dtypes=("float32",), input_dtypes=("bool", "bool")),
    Case("where", lambda x, y: ops.where(x > y, x, 0.0), lambda x, y: torch.where(x > y, x, 0.0), (NS, NS)),
    *(unary(name) for name in ("exp", "erf", "sin", "cos", "tan", "atan", "sinh", "cosh", "asinh", "tanh", "sigmoid")),
    *(unary(name) for name in ("floor", "ceil", "round", "sign")),
    *(unary(name, positive=True) for name in ("log", "sqrt", "rsqrt", "reciprocal")),
    *(activation(name) for name in ("relu", "relu6", "leaky_relu", "elu", "gelu", "silu")),
    *(activation(name) for name in ("hardsigmoid", "hardswish", "hardtanh")),
    activation("softmax", 1),
    activation("softmax", -1),
    activation("log_softmax", 1),
    Case("gelu tanh", gelu_tanh(ops.gelu), gelu_tanh(F.gelu), (NS,)),
    Case("clamp", lambda x: ops.clamp(x, -0.5, 0.5), lambda x: torch.clamp(x, -0.5, 0.5), (NS,)),
    Case("clamp min", lambda x: x.clamp(min=0.1), lambda x: x.clamp(min=0.1), (NS,)),
    Case("to float32", lambda x: x.to("float32"), lambda x: x.to(torch.float32), (NS,)),
    same("to half", lambda x: x.half(), NS),
    *(activation(name) for name in ("selu", "celu", "softplus", "softsign", "logsigmoid", "mish", "hardshrink")),
    *(activation(name) for name in ("softshrink", "tanhshrink", "rrelu")),
    activation("celu", 0.5),
    activation("softplus", 2.0),
    activation("threshold", 0.1, -2.0),
    Case("glu", lambda x: ops.glu(x, 1), lambda x: F.glu(x, 1), (("n", 4, "s"),)),
    activation("softmin", 1),
    Case("prelu", prelu(ops, SLOPES), prelu(F, SLOPES), (("n", 3, "h", "w"),)),
    Case("prelu one slope", prelu(ops, SLOPES[:1]), prelu(F, SLOPES[:1]), (NS,)),
    *(unary(name) for name in ("expm1", "trunc", "square", "isnan", "isfinite", "isinf")),
    *(unary(name, positive=True) for name in ("log2", "log10", "log1p")),
    special("isinf of inf", ops.isinf, torch.isinf),
    special("isfinite of inf", ops.isfinite, torch.isfinite),
    special("isnan of nan", lambda x: ops.isnan(x - x), lambda x: torch.isnan(x - x)),
    same("rsub", lambda x: library(x).rsub(x, x * 2, alpha=3) + library(x).rsub(x, 1.0), NS),
    same("positive", lambda x: +x + library(x).positive(x), NS),
    same("to", lambda x: x.to("cpu").to(x.dtype, copy=True).add_(1) + x.to(x), NS),
    of_both("fmod", lambda m, x: m.fmod(x, 0.75), dtypes=FLOAT32),
    of_both("fmod of integers", lambda m, x, y: m.fmod(x, y), NS, NS, dtypes=FLOAT32, input_dtypes=("int32", "int32")),
    of_both("lerp", lambda m, x, y: m.lerp(x, y, 0.25), NS, NS),
    of_both("masked_fill", lambda m, x: m.masked_fill(x, x > 0, -3.0)),
    same("add alpha", lambda x, y: x.add(y, alpha=2), NS, NS),
    same("sub alpha", lambda x, y: x.sub(y, alpha=0.5), NS, NS),
    same("div floor", lambda x: x.div(0.75, rounding_mode="floor"), NS, dtypes=FLOAT32),
    same("div trunc", lambda x: x.div(0.75, rounding_mode="trunc"), NS, dtypes=FLOAT32),
    same("int div floor", lambda x, y: x.div(y, rounding_mode="floor"), NS, NS, **INTS),
    same("int div trunc", lambda x, y: x.div(y, rounding_mode="trunc"), NS, NS, **INTS),
    of_both("atan2", lambda m, x, y: m.atan2(x, y), NS, NS),
    of_both("atan2 of integers", lambda m, x, y: m.atan2(x % 3 - 1, y % 3 - 1), NS, NS, **INTS),
    of_both("logaddexp", lambda m, x, y: m.logaddexp(x * 50, y * 50), NS, NS, dtypes=FLOAT32),
    of_both("logaddexp near", lambda m, x, y: m.logaddexp(x, y), NS, NS),
    same("nan_to_num", lambda x: infinite(x).nan_to_num(0.5, 3.5, -2.5), NS),
    same("clip", lambda x: x.clip(-0.5, 0.5), NS),
    same("where method", lambda x, y: x.where(x > y, y), NS, NS),
    same("logical", lambda x, y: x.logical_and(y).logical_xor(x.logical_or(y)).logical_not(), NS, NS, **INTS),
    same("int bool", lambda x: x.int() + x.bool().int(), NS, dtypes=FLOAT32),
    same("new tensors", lambda x: x.new_zeros(3, 1) + x.new_full((3, 1), 2.5) * x.new_ones((3, 1)) + x, NS),
    same("max of two", lambda x, y: x.max(y) + x.minimum(y), NS, NS),
]  # fmt: skip
