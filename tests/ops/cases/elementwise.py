"""Functions of each element, reductions, sums and orders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from ops.cases.case import FLOATS, NS, Case, activation, unary

from trtnet import ops

RNG = np.random.default_rng(31)
SLOPES, KERNEL, BIAS = RNG.uniform(0.1, 0.4, 3), RNG.standard_normal((4, 3, 5)) / 4, RNG.standard_normal(4)


def pair(name: str, *shapes: tuple[int | str, ...], **options: Any) -> Case:
    """A function of both libraries, with the same arguments."""
    dtypes, integers = options.pop("dtypes", FLOATS), options.pop("input_dtypes", ())
    positive = options.pop("positive", False)
    ours, theirs = getattr(ops, name), getattr(torch, name, None) or getattr(F, name)
    label = f"{name} {' '.join(f'{k}={v}' for k, v in options.items())}"
    return Case(
        label,
        lambda *x: ours(*x, **options),
        lambda *x: theirs(*x, **options),
        shapes or (NS,),
        dtypes,
        positive,
        integers,
    )


def chosen(function: Callable[..., Any], index: int) -> Callable[..., Any]:
    return lambda *x: function(*x)[index]


def of_both(name: str, call: Callable[[Any, Any], Any], *shapes: tuple[int | str, ...], **options: Any) -> Case:
    """A function of (library, x...)."""
    ours, theirs = (lambda *x: call(ops, *x)), (lambda *x: call(torch, *x))
    return Case(name, ours, theirs, shapes or (NS,), **options)


def bilinear(x: Any, y: Any) -> Any:
    if isinstance(x, torch.Tensor):
        return F.bilinear(x, y, torch.as_tensor(KERNEL).to(x.dtype), torch.as_tensor(BIAS).to(x.dtype))
    return ops.bilinear(x, y, KERNEL.astype(x.dtype.numpy), BIAS.astype(x.dtype.numpy))


def prelu(library: Any, slopes: np.ndarray) -> Callable[..., Any]:
    return lambda x: library.prelu(
        x, torch.as_tensor(slopes).to(x.dtype) if isinstance(x, torch.Tensor) else slopes.astype(x.dtype.numpy)
    )


def special(name: str, ours: Callable[..., Any], theirs: Callable[..., Any]) -> Case:
    """A function of values among which there are infinities and NaN."""

    def with_special(x: Any) -> Any:
        return x / (x * 0 + 1) + 1 / (x - x)  # inf everywhere

    return Case(name, lambda x: ours(with_special(x)), lambda x: theirs(with_special(x)), (NS,), ("float32",))


NUMBER_CASES = [
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
    of_both("fmod", lambda m, x: m.fmod(x, 0.75), dtypes=("float32",)),
    pair("fmod", NS, NS, dtypes=("float32",), input_dtypes=("int32", "int32")),
    of_both("lerp", lambda m, x, y: m.lerp(x, y, 0.25), NS, NS),
    of_both("masked_fill", lambda m, x: m.masked_fill(x, x > 0, -3.0)),
    # reductions
    pair("std", dim=1),
    Case("var_mean", lambda x: ops.var_mean(x, 1)[1], lambda x: torch.var_mean(x, 1)[1], (NS,)),
    pair("logsumexp", dim=1),
    pair("logsumexp", dim=(1, 2), keepdim=True),
    *(
        Case(
            f"norm {p}",
            lambda x, p=p: ops.norm(x, p, 1),
            lambda x, p=p: torch.linalg.vector_norm(x, p, 1),
            (NS,),
        )
        for p in (1, 2, 3, float("inf"), float("-inf"))
    ),
    of_both("any", lambda m, x: m.any(x > 1, 1)),
    of_both("all", lambda m, x: m.all(x > -1, 1, keepdim=True)),
    pair("all", NS, dtypes=("float32",), input_dtypes=("int64",)),
    of_both("sum of bool", lambda m, x: m.sum(x > 0, 1)),
    Case("normalize", lambda x: ops.normalize(x), lambda x: F.normalize(x), (NS,)),
    pair("cosine_similarity", NS, NS, dim=1),
    # order
    Case("topk", chosen(lambda x: ops.topk(x, 2, 1), 0), chosen(lambda x: torch.topk(x, 2, 1), 0), (NS,)),
    Case("topk smallest indices", lambda x: ops.topk(x, 2, 1, False)[1], lambda x: x.topk(2, 1, False)[1], (NS,)),
    Case("topk of a vector", lambda x: ops.topk(x, 1)[0], lambda x: x.topk(1)[0], (("s",),)),
    Case("sort", lambda x: ops.sort(x, 1)[0], lambda x: torch.sort(x, 1)[0], (NS,)),
    Case("sort dynamic", lambda x: ops.sort(x, 2, True)[0], lambda x: torch.sort(x, 2, True)[0], (NS,)),
    Case("argsort", lambda x: ops.argsort(x, 1), lambda x: torch.argsort(x, dim=1, stable=True), (NS,), ("float32",)),
    Case(
        "topk of integers",
        lambda x: ops.topk(x, 2, 1)[0],
        lambda x: x.topk(2, 1)[0],
        (NS,),
        ("float32",),
        input_dtypes=("int64",),
    ),
    # sums along an axis
    pair("cumsum", dim=1),
    pair("cumsum", dim=-1),
    pair("cumsum", NS, dtypes=("float32",), input_dtypes=("int32",), dim=0),
    pair("cumprod", dim=1),
    pair("cumprod", dim=-1),
    pair("diff", dim=1),
    pair("diff", dtypes=("float32",), n=2, dim=1),
    pair("diff", NS, dtypes=("float32",), input_dtypes=("int64",), dim=1),
    of_both("diff of bools", lambda m, x: m.diff(x > 0, dim=1)),
    of_both("diff of joined", lambda m, x: m.diff(x, dim=2, prepend=x[:, :, :1] - 1, append=x[:, :, -1:])),
    # products
    of_both("einsum matmul", lambda m, x, y: m.einsum("bij,bjk->bik", x, y), ("n", 3, "s"), ("n", "s", 4)),
    of_both("einsum implicit", lambda m, x, y: m.einsum("ij,jk", x, y), (3, "s"), ("s", 4)),
    of_both("einsum ellipsis", lambda m, x, y: m.einsum("...qd,...kd->...qk", x, y), ("n", 2, 3, 4), ("n", 2, "s", 4)),
    of_both("einsum capitals", lambda m, x, y: m.einsum("bHd,bHe->bde", x, y), ("n", 3, 4), ("n", 3, 5)),
    Case("bilinear", bilinear, bilinear, (("n", "s", 3), ("n", "s", 5))),
]
