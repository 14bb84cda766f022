"""torch's further names: views, joins, products with a sum, arguments that functions take too."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from ops.cases.case import NS, Case, same
from ops.cases.elementwise import of_both

from trtnet import ops

SQUARE = ("n", 4, 4)
FLOAT32 = ("float32",)
INTS = {"dtypes": FLOAT32, "input_dtypes": ("int64", "int64")}
PLACES = np.array([[2, 0], [1, -1]])


def library(x: Any) -> Any:
    return torch if isinstance(x, torch.Tensor) else ops


def integers(x: Any, values: Any) -> Any:
    """A constant of integers beside `x`."""
    array = np.asarray(values, np.int64)
    return torch.as_tensor(array) if isinstance(x, torch.Tensor) else ops.cast(array, "int64")


def grid(x: Any, y: Any, indexing: str) -> Any:
    a, b = library(x).meshgrid(x, y, indexing=indexing)
    return a * 2 + b


def added_rows(x: Any, source: Any) -> Any:
    return library(x).index_add(x, 1, integers(x, [2, 0, 2]), source, alpha=2)


def reduced(reduce: str, include_self: bool) -> Case:
    """Places met twice, once and never."""

    def call(x: Any, source: Any) -> Any:
        index = integers(x, [[[2, 1, 0], [2, 0, 0]]]).expand(x.shape[0], 2, 3)
        return x.scatter_reduce(1, index, source, reduce, include_self=include_self)

    return Case(f"scatter_reduce {reduce} {include_self}", call, call, (("n", 4, 3), ("n", 2, 3)))


def filled(x: Any) -> Any:
    index = integers(x, [[[2, 1, 0]]])
    return x.scatter(1, index.expand(x.shape[0], 1, 3), 1.5)


def chosen_by_tensor(x: Any, index: Any) -> Any:
    """Integers that are known only when the engine runs, some of them counted from the end."""
    return x[:, index % 3 - 2]


def infinite(x: Any) -> Any:
    """NaN, both infinities and numbers."""
    one = x * 0 + 1
    signs = library(x).where(x > 0, one, -one)
    return library(x).where(abs(x) < 0.2, (x - x) / (x - x), library(x).where(abs(x) > 0.8, signs / (x - x), x))


NAME_CASES = [
    # sizes by torch's names of them
    same("reshape by name", lambda x: x.reshape(shape=(-1, 3)).view(size=(-1, 1, 3)), NS),
    same("expand by name", lambda x: x.permute(dims=(1, 0, 2)).unsqueeze(0).expand(size=(2, -1, -1, -1)), NS),
    same("repeat by name", lambda x: x.repeat(repeats=(1, 2, 1)) + x.tile(dims=(1, 2, 1)), NS),
    same("cat of nothing", lambda x: library(x).cat([x.new_zeros(0), x], 1), NS),
    # views
    same("unbind", lambda x: x.unbind(1)[2] - x.unbind(1)[0], NS),
    same("unflatten", lambda x: x.unflatten(1, (2, -1)), ("n", 6, "s")),
    same("unflatten last", lambda x: x.unflatten(-1, (3, 2)), ("n", "s", 6)),
    same("select", lambda x: x.select(1, -1), NS),
    same("narrow", lambda x: x.narrow(1, 1, 2), NS),
    same("narrow dynamic", lambda x: x.narrow(2, -3, 2), ("n", 3, "w")),
    same("diagonal", lambda x: x.diagonal(0, 1, 2), ("n", 3, 5)),
    same("diagonal above", lambda x: x.diagonal(2, -1, -2), ("n", 3, 5)),
    same("diagonal below", lambda x: x.diagonal(-1, 0, 2), (4, "n", 3)),
    same("movedim", lambda x: x.movedim(0, -1), ("n", 3, "s", 2)),
    same("movedim several", lambda x: x.movedim((0, 1), (2, 0)), ("n", 3, "s", 2)),
    same("swapaxes", lambda x: x.swapaxes(0, 2) + x.swapdims(-1, 0), NS),
    same("t", lambda x: x.t(), ("n", "s")),
    same("broadcast_to", lambda x: x.broadcast_to((2, 3, 4)), (3, 1)),
    same("expand_as", lambda x, y: x.expand_as(y), ("n", 1, "s"), NS),
    same("view_as", lambda x, y: x.view_as(y), ("n", 6), ("n", 2, 3)),
    same("tile", lambda x: x.tile(2, 3), NS),
    same("tile new axis", lambda x: x.tile((2, 1, 2, 1)), NS),
    of_both("hstack", lambda m, x, y: m.hstack([x, y]), ("n", 2, "s"), ("n", 3, "s")),
    of_both("hstack vectors", lambda m, x, y: m.hstack([x, y]), ("n",), ("s",)),
    of_both("vstack", lambda m, x, y: m.vstack([x, y]), (4,), ("n", 4)),
    of_both("concat", lambda m, x: m.concat([x, m.concatenate([x, x], 1)], 1)),
    same("flip of two", lambda x: x.flip(1, 2), NS),
    # indexing by integers of a tensor
    same("list index", lambda x: x[:, [2, 0, -1]], NS),
    same("array index", lambda x: x[..., None, 1:3, PLACES], ("n", 3, 4)),
    same("array index of a dynamic axis", lambda x: x[[-1, 0]], NS),
    Case("tensor index", chosen_by_tensor, chosen_by_tensor, (NS, ("s",)), FLOAT32, False, ("float32", "int64")),
    Case(
        "tensor index of rank 0",
        lambda x, i: x[0, :, i[0].reshape(()) % 2],
        lambda x, i: x[0, :, i[0].reshape(()) % 2],
        (("n", 3, 4), ("s",)),
        FLOAT32,
        False,
        ("float32", "int64"),
    ),
    # products
    of_both("mm", lambda m, x, y: m.mm(x, y), ("n", 4), (4, "s")),
    of_both("bmm", lambda m, x, y: m.bmm(x, y), ("n", 3, "s"), ("n", "s", 4)),
    of_both("addmm", lambda m, x, y, z: m.addmm(x, y, z, beta=0.5, alpha=2), ("s",), ("n", 4), (4, "s")),
    of_both("baddbmm", lambda m, x, y, z: m.baddbmm(x, y, z), ("n", 3, 5), ("n", 3, 4), ("n", 4, 5)),
    of_both("outer", lambda m, x, y: m.outer(x, y), ("n",), ("s",)),
    # each element
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
    # reductions and order
    same("argmax of all", lambda x: x.argmax(), NS, dtypes=FLOAT32),
    same("argmin of all", lambda x: x.argmin(keepdim=True), NS, dtypes=FLOAT32),
    same("var biased by name", lambda x: x.var(1, unbiased=False, keepdim=True), NS),
    same("std biased by place", lambda x: x.std(1, False), NS),
    of_both("count_nonzero", lambda m, x: m.count_nonzero(x > 0, 1)),
    same("max of two", lambda x, y: x.max(y) + x.minimum(y), NS, NS),
    same("max named", lambda x: x.max(1).values + x.topk(1, 1).values[:, 0], NS),
    same("min named", lambda x: x.min(1).indices + x.sort(1).indices[:, 0], NS, dtypes=FLOAT32),
    # places
    of_both("meshgrid ij", lambda m, x, y: grid(x, y, "ij"), ("n",), ("s",)),
    of_both("meshgrid xy", lambda m, x, y: grid(x, y, "xy"), ("n",), ("s",)),
    Case("index_add", added_rows, added_rows, (("n", 4, 2), ("n", 3, 2))),
    same("scatter a number", filled, ("n", 4, 3)),
    *(reduced(reduce, include) for reduce in ("sum", "prod", "amax", "amin") for include in (True, False)),
    Case(
        "scatter_reduce of integers",
        *(lambda x, y: x.scatter_reduce(1, y % 3, y, "amax", include_self=False),) * 2,
        (("n", 4), ("n", 4)),
        FLOAT32,
        False,
        ("int64", "int64"),
    ),
]
