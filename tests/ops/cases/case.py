"""The table of operations: ours, torch's, and the shapes they are compared at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from helpers.comparing import network_of, random_tensor

import trtnet
from trtnet import ops

FLOATS = ("float32", "float16", "bfloat16")


@dataclass(frozen=True)
class Case:
    """One row: our function, torch's, the shapes of the inputs with dynamic axes as names."""

    name: str
    ours: Callable[..., Any]
    torch: Callable[..., Any]
    shapes: tuple[tuple[int | str, ...], ...]
    dtypes: tuple[str, ...] = FLOATS
    positive: bool = False
    input_dtypes: tuple[str, ...] = ()


IMAGE = ("n", 4, "h", "w")
W3 = np.random.default_rng(1).standard_normal((6, 4, 3, 3)) / 6
W_GROUPED = np.random.default_rng(2).standard_normal((8, 2, 3, 2)) / 4
W_UP = np.random.default_rng(3).standard_normal((4, 3, 2, 2)) / 4
W_UP_GROUPED = np.random.default_rng(4).standard_normal((4, 3, 3, 3)) / 4
B6 = np.random.default_rng(5).standard_normal(6)
SIZES = {"n": (1, 2, 3), "h": (6, 7, 9), "w": (6, 8, 11), "s": (1, 5, 7)}


def conv(function: Callable[..., Any], weight: np.ndarray, bias: np.ndarray | None = None, **options: Any) -> Any:
    """A convolution with constant weights, for ours (arrays) and torch (tensors of the input's dtype) alike."""

    def call(x: Any) -> Any:
        if isinstance(x, torch.Tensor):
            to = lambda a: None if a is None else torch.as_tensor(a).to(x.dtype)  # noqa: E731
        else:
            to = lambda a: None if a is None else a.astype(x.dtype.numpy)  # noqa: E731
        return function(x, to(weight), to(bias), **options)

    return call


def both(
    name: str, ours: Callable[..., Any], theirs: Callable[..., Any], weight: Any, bias: Any = None, **o: Any
) -> Case:
    return Case(name, conv(ours, weight, bias, **o), conv(theirs, weight, bias, **o), (IMAGE,))


def unary(name: str, positive: bool = False, **options: Any) -> Case:
    return Case(name, getattr(ops, name), getattr(torch, name), (("n", 3, "s"),), positive=positive, **options)


def activation(name: str, *arguments: Any) -> Case:
    ours, theirs = getattr(ops, name), getattr(F, name)
    return Case(
        f"{name}{arguments or ''}", lambda x: ours(x, *arguments), lambda x: theirs(x, *arguments), (("n", 3, "s"),)
    )


def gelu_tanh(f: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x: f(x, approximate="tanh")


def pool(name: str, *arguments: Any, shape: tuple[int | str, ...] = IMAGE, **options: Any) -> Case:
    ours, theirs = getattr(ops, name), getattr(F, name)
    label = f"{name}{arguments}{''.join(options)}"
    return Case(label, lambda x: ours(x, *arguments, **options), lambda x: theirs(x, *arguments, **options), (shape,))


def same(name: str, function: Callable[..., Any], *shapes: tuple[int | str, ...], **options: Any) -> Case:
    """A function that reads the same on our tensors and torch's."""
    return Case(name, function, function, shapes, **options)


NS = ("n", 3, "s")
UP = ops.conv_transpose2d, F.conv_transpose2d
CASES = [
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
    same("matmul", lambda x, y: x @ y, ("n", 4, "s"), ("n", "s", 5)),
    same("matmul broadcast", lambda x, y: x @ y, ("n", 2, 3, "s"), ("s", 5)),
    same("matmul vector", lambda x, y: x @ y, ("n", 4, 5), (5,)),
    same("vector matmul", lambda x, y: x @ y, (5,), ("n", 5, 4)),
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
    # shapes
    same("reshape", lambda x: x.reshape(x.shape[0], -1), ("n", 3, 4)),
    same("reshape two dims", lambda x: x.reshape(x.shape[1], x.shape[0], -1), ("n", "s", 4)),
    same("reshape split heads", lambda x: x.reshape(x.shape[0], x.shape[1], 2, 3), ("n", "s", 6)),
    same("reshape product", lambda x: x.reshape(x.shape[0] * x.shape[1], 6), ("n", "s", 6)),
    same("flatten", lambda x: x.flatten(1), ("n", 3, 4)),
    same("flatten all", lambda x: x.flatten(), NS),
    same("flatten middle", lambda x: x.flatten(1, 2), ("n", 2, 3, "s")),
    same("permute", lambda x: x.permute(2, 0, 1), NS),
    same("transpose", lambda x: x.transpose(-1, 0), NS),
    same("mT", lambda x: x.mT, NS),
    same("squeeze", lambda x: x.squeeze(1), ("n", 1, "s")),
    same("unsqueeze", lambda x: x.unsqueeze(1).unsqueeze(-1), ("n", "s")),
    same("expand", lambda x: x.expand(-1, 4, -1), ("n", 1, "s")),
    same("expand new axis", lambda x: x.expand(2, -1, -1), ("n", "s")),
    Case("cat", lambda x, y: ops.cat([x, y], 1), lambda x, y: torch.cat([x, y], 1), (("n", 2, "s"), ("n", 3, "s"))),
    Case("cat dynamic", lambda x: ops.cat([x, x], 0), lambda x: torch.cat([x, x], 0), (NS,)),
    Case("stack", lambda x, y: ops.stack([x, y], 1), lambda x, y: torch.stack([x, y], 1), (NS, NS)),
    same("chunk", lambda x: x.chunk(3, 1)[1] + x.chunk(3, 1)[2], ("n", 6, "s")),
    same("split", lambda x: x.split([1, 3], 1)[1], ("n", 4, "s")),
    # indexing
    same("int index", lambda x: x[:, 1], NS),
    same("negative index", lambda x: x[:, -1, -1], NS),
    same("slice", lambda x: x[:, 1:3], ("n", 4, "s")),
    same("slice step", lambda x: x[:, ::2, ...], ("n", 5, "s")),
    same("slice negative", lambda x: x[:, -3:-1], ("n", 5, "s")),
    same("slice beyond", lambda x: x[:, 2:9], ("n", 5, "s")),
    same("slice dynamic axis", lambda x: x[..., 2:5], ("n", "w")),
    same("slice dynamic negative", lambda x: x[..., -3:], ("n", "w")),
    same("slice dynamic step", lambda x: x[..., 1::3], ("n", "w")),
    same("none ellipsis", lambda x: x[None, ..., 0, None], NS),
    # reductions
    same("sum", lambda x: x.sum(1), NS),
    same("sum all", lambda x: x.sum(), NS),
    same("mean", lambda x: x.mean((1, 2), keepdim=True), NS),
    same("amax", lambda x: x.amax(-1), NS),
    same("amin", lambda x: x.amin((0, 1)), NS),
    same("prod", lambda x: x.prod(1), NS),
    same("max all", lambda x: x.max(), NS),
    same("max values", lambda x: x.max(1)[0], NS),
    same("argmax", lambda x: x.argmax(1), NS),
    same("argmin keepdim", lambda x: x.argmin(1, keepdim=True), NS),
    same("var", lambda x: x.var(1), NS),
    same("var biased", lambda x: x.var(1, correction=0, keepdim=True), NS),
    # dtypes
    Case("to float32", lambda x: x.to("float32"), lambda x: x.to(torch.float32), (NS,)),
    same("to half", lambda x: x.half(), NS),
    # images
    both("conv2d", ops.conv2d, F.conv2d, W3, B6),
    both("conv2d stride padding", ops.conv2d, F.conv2d, W3, B6, stride=2, padding=1),
    both("conv2d same", ops.conv2d, F.conv2d, W3, padding="same"),
    both("conv2d dilated", ops.conv2d, F.conv2d, W3, padding=(2, 1), dilation=(2, 1)),
    both("conv2d groups", ops.conv2d, F.conv2d, W_GROUPED, groups=2, stride=(1, 2)),
    both("conv_transpose2d", *UP, W_UP, stride=2),
    both("conv_transpose2d padded", *UP, W_UP_GROUPED, stride=2, padding=1, output_padding=1),
    both("conv_transpose2d groups", *UP, W_UP_GROUPED, groups=2, dilation=2),
    pool("max_pool2d", 3, 2, 1),
    pool("max_pool2d", 2, ceil_mode=True),
    pool("avg_pool2d", 3, 2, 1),
    pool("avg_pool2d", 3, 2, 1, count_include_pad=False),
    pool("adaptive_avg_pool2d", 1),
    pool("adaptive_avg_pool2d", (2, 4), shape=("n", 3, 6, 8)),
]  # fmt: skip


def concrete(shape: tuple[int | str, ...], which: int) -> tuple[int, ...]:
    return tuple(SIZES[size][which] if isinstance(size, str) else size for size in shape)


def example(case: Case, dtype: str, shapes: list[tuple[int, ...]]) -> list[torch.Tensor]:
    kinds = case.input_dtypes or (dtype,) * len(shapes)
    tensors = [
        random_tensor(*shape, dtype=kind, seed=i) for i, (shape, kind) in enumerate(zip(shapes, kinds, strict=True))
    ]
    return [x.abs() + 0.1 for x in tensors] if case.positive else tensors


def names(case: Case) -> list[str]:
    return [f"x{i}" for i in range(len(case.shapes))]


def define(case: Case, dtype: str, shapes: list[tuple[int | str, ...]]) -> Any:
    kinds = case.input_dtypes or (dtype,) * len(shapes)
    specs = {n: trtnet.Input(s, k) for n, s, k in zip(names(case), shapes, kinds, strict=True)}
    return network_of(case.ours, specs, dtype)


def expected(case: Case, inputs: list[torch.Tensor]) -> torch.Tensor:
    """torch's result at the inputs' own values, computed wide."""
    wide = [x.double() if x.is_floating_point() else x for x in inputs]
    return case.torch(*wide)


def native_dtype(case: Case, inputs: list[torch.Tensor]) -> torch.dtype:
    """What torch gives these inputs; where its CPU has no kernel for a 16-bit float, it would be that."""
    try:
        return case.torch(*inputs).dtype
    except RuntimeError as error:
        assert "not implemented for" in str(error)
        return inputs[0].dtype
