"""Puts, choices, orders and searches, against torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from helpers.comparing import network_of, random_tensor
from helpers.ops.both_libraries import defined, same_as_torch

import trtnet
from trtnet import ops
from trtnet.support.errors import LayerError

X = random_tensor(3, 4, 5)


def ints(m: Any, *values: Any) -> Any:
    """A constant of integers in either library."""
    return torch.tensor(values) if m is torch else ops.as_tensor(np.array(values, np.int64))


def halves(m: Any, *values: float) -> Any:
    """A constant of floats in either library."""
    return torch.tensor(values) if m is torch else ops.as_tensor(np.array(values, np.float32))


SAME = {
    "masked_scatter": lambda m, x: x.masked_scatter(x > 0, x * 2),
    "masked_scatter broadcast": lambda m, x: m.masked_scatter(x, x[:, :1, :1] > 0, m.flip(x, [0])),
    "masked_scatter of more": lambda m, x: m.masked_scatter(x[0, 0], x > 0, x.repeat(1, 2, 1)),
    "index_fill": lambda m, x: x.index_fill(1, ints(m, 0, -1), 2.5),
    "index_fill of the last": lambda m, x: m.index_fill(x, -1, ints(m, 3), 7),
    "index_copy": lambda m, x: x.index_copy(1, ints(m, 3, 0), x[:, :2] * 2),
    "index_put": lambda m, x: x.index_put((ints(m, 0, 2), ints(m, 1, -1)), x[:2, 0] * 3),
    "index_put of one": lambda m, x: m.index_put(x, (ints(m, 2, 0),), m.ones_like(x[:2])),
    "index_put of a number": lambda m, x: x.index_put((ints(m, [0], [1]), ints(m, 1, 2, 3)), halves(m, 4.0)[0]),
    "index_put of all": lambda m, x: x.index_put((ints(m, 0, 2), ints(m, 1, 3), ints(m, 4, 0)), halves(m, 1.0, 2.0)),
    "index_put accumulated": lambda m, x: x.index_put((ints(m, 1, 1, 0),), x * 2, accumulate=True),
    "select_scatter": lambda m, x: m.select_scatter(x, x[:, 0] * 2, 1, -1),
    "slice_scatter": lambda m, x: m.slice_scatter(x, x[:, :2] * 2, 1, 1, -1),
    "slice_scatter by steps": lambda m, x: x.slice_scatter(x[..., :3] * 2, -1, step=2),
    "diagonal_scatter": lambda m, x: m.diagonal_scatter(x, x[:, 0, :4] * 2, 1, 1, 2),
    "diagonal_scatter below": lambda m, x: m.diagonal_scatter(x[0], x[0, :3, 0] * 2, -1),
    "take": lambda m, x: m.take(x, ints(m, [0, -1], [7, 33])),
    "take_along_dim": lambda m, x: m.take_along_dim(x, m.argsort(x, dim=1), dim=1),
    "take_along_dim broadcast": lambda m, x: x.take_along_dim(ints(m, [[0], [3]]), 1),
    "take_along_dim of all": lambda m, x: m.take_along_dim(x, ints(m, 3, 0)),
    "sort": lambda m, x: m.sort(x, 1, descending=True),
    "sort of bools": lambda m, x: m.sort(x > 0, dim=1, stable=True),
    "sort in order": lambda m, x: m.sort((x * 2).round(), stable=True, dim=2, descending=True),
    "argsort in order": lambda m, x: m.argsort((x * 2).long(), dim=0, stable=True),
    "msort": lambda m, x: m.msort(x),
    "kthvalue": lambda m, x: x.kthvalue(2, 1),
    "kthvalue kept": lambda m, x: m.kthvalue(x, 4, dim=1, keepdim=True),
    "median": lambda m, x: x.median(1),
    "median of all": lambda m, x: m.median(x),
    "median kept": lambda m, x: m.median(x, -1, keepdim=True),
    "topk": lambda m, x: x.topk(3, 1, largest=False),
    "topk of ints": lambda m, x: (x * 1000).int().topk(2)[0],
    "topk of uint8": lambda m, x: x.abs().mul(20).to(torch.uint8 if m is torch else "uint8").topk(1)[0],
    "topk of a size": lambda m, x: x.topk(x.shape[1] // 2, 1)[0],
    "topk of none": lambda m, x: x.topk(0, 1)[0],
    "sort of a number": lambda m, x: m.sort(x[0, 0, 0])[0] + m.topk(x[0, 0, 0], 1)[0],
    "bucketize": lambda m, x: m.bucketize(x, halves(m, -1.0, 0.0, 0.5)),
    "searchsorted": lambda m, x: m.searchsorted(m.sort(x)[0], x[..., :2], right=True),
    "searchsorted of equals": lambda m, x: m.searchsorted(halves(m, -1.0, 0.0, 0.0), x.round(), side="right"),
    "searchsorted int32": lambda m, x: m.searchsorted(halves(m, -1.0, 0.0, 0.0), (x * 2).round(), out_int32=True),
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_equals_torch(name: str) -> None:
    same_as_torch(SAME[name], X)


def test_numbers_that_are_none() -> None:
    x = X.clone()
    x[0, 1, 2] = float("nan")
    same_as_torch(lambda m, x: m.median(x, 1)[0], x)
    same_as_torch(lambda m, x: m.median(x), x)
    same_as_torch(lambda m, x: m.bucketize(x, halves(m, -1.0, 0.0)), x)


REFUSED = {
    "masked_scatter mask": (lambda x: x.masked_scatter(x, x), "takes a bool mask, and a source of the dtype of its"),
    "masked_scatter dtype": (lambda x: x.masked_scatter(x > 0, x.half()), "a source of the dtype of its input"),
    "masked_scatter of nothing": (lambda x: x.masked_scatter(x > 0, x[:0]), "a source without elements"),
    "masked_select": (lambda x: ops.masked_select(x, x > 0), "as many elements as the mask"),
    "index_put dtype": (lambda x: x.index_put(([0],), x[0].half()), "values of the dtype of its input"),
    "index_copy shape": (lambda x: x.index_copy(0, [0], x), r"a source of shape \[1, 4, 5\]"),
    "topk": (lambda x: x.topk(6), "topk of k=6 elements along dim=-1, which has 5"),
    "topk of a float": (lambda x: x.topk(1.5), "topk takes ints and sizes, found 1.5"),
    "kthvalue": (lambda x: x.kthvalue(0), "counts from 1"),
    "side": (lambda x: ops.searchsorted(x[0, 0], x, side="middle"), "side is 'left' or 'right'"),
    "rank": (lambda x: ops.take_along_dim(x, [0], 1), "indices of 3 dimensions"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_names_the_line(name: str) -> None:
    function, text = REFUSED[name]
    with pytest.raises(LayerError, match=text) as caught:
        network_of(function, {"x": trtnet.Input(tuple(X.shape))})
    assert "test_put_and_choose.py" in str(caught.value)


@pytest.mark.parametrize("name", ["index_put", "index_fill", "sort in order", "median", "searchsorted"])
def test_they_build_ahead_of_time(name: str) -> None:
    network = defined(SAME[name], [X], dynamic=True)
    assert len(network.build({"s3": (3, 3, 5), "s4": (4, 4, 6), "s5": (5, 5, 9)}).plan.data) > 1000
