"""Reductions, sums along an axis, orders and statistics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from ops.cases.case import FLOATS, NS, Case, of_both, same

from trtnet import ops

FLOAT32 = ("float32",)


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


REDUCTION_CASES = [
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
    same("argmax of all", lambda x: x.argmax(), NS, dtypes=FLOAT32),
    same("argmin of all", lambda x: x.argmin(keepdim=True), NS, dtypes=FLOAT32),
    same("var biased by name", lambda x: x.var(1, unbiased=False, keepdim=True), NS),
    same("std biased by place", lambda x: x.std(1, False), NS),
    of_both("count_nonzero", lambda m, x: m.count_nonzero(x > 0, 1)),
    same("max named", lambda x: x.max(1).values + x.topk(1, 1).values[:, 0], NS),
    same("min named", lambda x: x.min(1).indices + x.sort(1).indices[:, 0], NS, dtypes=FLOAT32),
]  # fmt: skip
