"""Elements that are chosen: slices, indices that are numbers, arrays and tensors, gathers and scatters."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from ops.cases.case import NS, Case, library, same

from trtnet import ops

FLOAT32 = ("float32",)
PLACES = np.array([[2, 0], [1, -1]])


def integers(x: Any, values: Any) -> Any:
    """A constant of integers beside `x`."""
    array = np.asarray(values, np.int64)
    return torch.as_tensor(array) if isinstance(x, torch.Tensor) else ops.cast(array, "int64")


def added_rows(x: Any, source: Any) -> Any:
    return library(x).index_add(x, 1, integers(x, [2, 0, 2]), source, alpha=2)


def reduced(reduce: str, include_self: bool) -> Case:
    """Places met twice, once and never."""

    def call(x: Any, source: Any) -> Any:
        index = integers(x, [[[2, 1, 0], [2, 0, 0]]]).expand(x.shape[0], 2, 3)
        return x.scatter_reduce(1, index, source, reduce, include_self=include_self)

    return Case(f"scatter_reduce {reduce} {include_self}", call, call, (("n", 4, 3), ("n", 2, 3)))


def reduced_rows(reduce: str) -> Case:
    """A row met twice, once and never."""

    def call(x: Any, source: Any) -> Any:
        index, apart = integers(x, [2, 0, 2]), reduce in ("mean", "amax")
        return library(x).index_reduce(x, 1, index, source, reduce, include_self=not apart)

    return Case(f"index_reduce {reduce}", call, call, (("n", 4, 2), ("n", 3, 2)))


def filled(x: Any) -> Any:
    index = integers(x, [[[2, 1, 0]]])
    return x.scatter(1, index.expand(x.shape[0], 1, 3), 1.5)


def chosen_by_tensor(x: Any, index: Any) -> Any:
    """Integers that are known only when the engine runs, some of them counted from the end."""
    return x[:, index % 3 - 2]


def indexed(name: str) -> Case:
    """Row i of the source goes where index row i says, along axis 1."""

    def call(x: Any, index: Any, source: Any) -> Any:
        places = abs(index) - 1
        if isinstance(x, torch.Tensor):
            return getattr(torch, name)(x, 1, places, source.to(x.dtype))
        return getattr(ops, name)(x, 1, places, source.to(x.dtype))

    kinds = ("float32", "int64", "float32")
    return Case(name, call, call, (("n", 4, 3), ("n", 2, 3), ("n", 2, 3)), ("float32",), input_dtypes=kinds)


def distinct_scatter(x: Any, source: Any) -> Any:
    """Two rows exchanged, through a scatter of places that differ."""
    if isinstance(x, torch.Tensor):
        index = torch.tensor([[2], [0]]).expand(x.shape[0], 2, 3)
        return x.scatter(1, index, source)
    index = ops.cast(np.array([[[2], [0]]], np.int64), "int64").expand(x.shape[0], 2, 3)
    return ops.scatter(x, 1, index, source)


def selected(x: Any) -> Any:
    index = np.array([2, 0, 0], np.int64)
    if isinstance(x, torch.Tensor):
        return x.index_select(1, torch.as_tensor(index))
    return ops.index_select(x, 1, ops.cast(index, "int64"))


def first_of_each(x: Any) -> Any:
    """Element ELEMENT gather, with the smallest index of each row."""
    if isinstance(x, torch.Tensor):
        return x.gather(1, torch.zeros(x.shape[0], 1, dtype=torch.int64))
    return ops.gather(x, 1, x[:, :1].to("int64") * 0)


INDEX_CASES = [
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
    *(reduced_rows(reduce) for reduce in ("prod", "mean", "amax", "amin")),
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
    Case(
        "one_hot",
        lambda x: ops.one_hot(abs(x), 6),
        lambda x: F.one_hot(abs(x), 6),
        (("n", "s"),),
        ("float32",),
        input_dtypes=("int64",),
    ),
    indexed("scatter_add"),
    Case("scatter", distinct_scatter, distinct_scatter, (("n", 4, 3), ("n", 2, 3))),
    Case("index_select", selected, selected, (NS,)),
    Case("gather", first_of_each, first_of_each, (("n", "s"),)),
]  # fmt: skip
