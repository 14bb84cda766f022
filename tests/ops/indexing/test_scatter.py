"""Scatters at every relation of the sizes of input, index and source, and every dtype, against torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers.comparing import network_of, random_tensor
from helpers.ops.both_libraries import defined, same_as_torch

import trtnet
from trtnet import ops
from trtnet.support.errors import LayerError

WAYS = ("sum", "prod", "mean", "amax", "amin")
X = random_tensor(3, 4, 2)
SHAPES = {
    "as large": ((3, 4, 2), (3, 4, 2)),
    "smaller index": ((2, 1, 1), (2, 1, 1)),
    "larger source": ((1, 2, 2), (5, 4, 3)),
    "longer index": ((7, 3, 2), (7, 4, 2)),
    "one": ((1, 1, 1), (1, 1, 1)),
    "none": ((0, 4, 2), (0, 4, 2)),
}


def places(shape: tuple[int, ...], most: int = 3) -> torch.Tensor:
    return torch.randint(0, most, shape, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("reduce", WAYS)
@pytest.mark.parametrize("include_self", [True, False])
def test_scatter_reduce_touches_the_extent_of_the_index(name: str, reduce: str, include_self: bool) -> None:
    index, source = places(SHAPES[name][0]), random_tensor(*SHAPES[name][1], seed=1)

    def call(m: Any, x: Any, *more: Any) -> Any:
        i, s = more or (
            (index, source) if m is torch else (ops.as_tensor(index.numpy()), ops.as_tensor(source.numpy()))
        )
        return m.scatter_reduce(x, 0, i, s, reduce, include_self=include_self)

    if 0 in index.shape:
        same_as_torch(call, X)
    else:
        same_as_torch(call, X, index, source)


@pytest.mark.parametrize("name", [name for name in SHAPES if name != "none"])
def test_scatter_add_and_scatter_touch_the_extent_of_the_index(name: str) -> None:
    index, source = places(SHAPES[name][0]), random_tensor(*SHAPES[name][1], seed=1)
    distinct = torch.arange(index.shape[0]).reshape(-1, 1, 1).expand(index.shape) % 3
    same_as_torch(lambda m, x, i, s: x.scatter_add(0, i, s), X, index, source)
    same_as_torch(lambda m, x, i, s: x.scatter(0, i, s, reduce="add"), X, index, source)
    same_as_torch(lambda m, x, i: x.scatter(0, i, 5), X, index)
    same_as_torch(lambda m, x, i: x.scatter(0, i, 2, reduce="multiply"), X, index)
    if name != "longer index":
        same_as_torch(lambda m, x, i, s: x.scatter(-3, i, s), X, distinct, source)


def test_the_case_of_the_report() -> None:
    index, source = torch.tensor([[0], [2], [2]]), torch.tensor([[1.0], [10.0], [100.0]])
    same_as_torch(lambda m, x, i, s: m.scatter_add(x, 0, i, s), torch.zeros(3, 4), index, source)


@pytest.mark.parametrize("dtype", ["float16", "int32", "int64", "uint8", "bool"])
@pytest.mark.parametrize("reduce", WAYS)
def test_scatter_reduce_keeps_the_dtype(dtype: str, reduce: str) -> None:
    if dtype == "bool" and reduce == "mean":
        return
    x, source = (random_tensor(4, 3, dtype="int32", seed=s).to(getattr(torch, dtype)) % 2 for s in (1, 2))
    x, source = (t.to(getattr(torch, dtype)) for t in (x, source))
    index = places((3, 3), 4)
    same_as_torch(lambda m, x, i, s: x.scatter_reduce(0, i, s, reduce), x, index, source)


@pytest.mark.parametrize("dtype", ["float32", "int32", "int64", "uint8", "bool"])
def test_scatter_and_gather_of_every_dtype(dtype: str) -> None:
    x = (random_tensor(4, 3, dtype="int32") + 4).to(getattr(torch, dtype))
    index = torch.tensor([[0, 2], [3, 1]])
    same_as_torch(lambda m, x, i: x.scatter(0, i, 1), x, index)
    same_as_torch(lambda m, x, i: x.gather(0, i), x, index)
    same_as_torch(lambda m, x, i: m.gather(x, -1, i[:, :1]), x, index % 3)


def test_zero_dimensional_tensors() -> None:
    x, i, s = torch.tensor(3.0), torch.tensor(0), torch.tensor(2.0)
    same_as_torch(lambda m, x, i: m.gather(x, 0, i), x, i)
    same_as_torch(lambda m, x, i, s: m.scatter(x, 0, i, s), x, i, s)
    same_as_torch(lambda m, x, i, s: m.scatter_add(x, 0, i, s), x, i, s)


def test_index_add() -> None:
    index, source = torch.tensor([2, 0, 2]), random_tensor(3, 3, 2, seed=4)
    same_as_torch(lambda m, x, i, s: x.index_add(1, i, s), X, index, source)
    same_as_torch(lambda m, x, i, s: m.index_add(x, 1, i, s, alpha=0.5), X, index, source)
    whole = torch.arange(24).reshape(3, 4, 2)
    same_as_torch(lambda m, x, i, s: x.index_add(1, i, s), whole, index, whole[:, :3] * 2)


REFUSED = {
    "way": (lambda x, i: x.scatter_reduce(0, i, x, "max"), "reduce is sum, prod, mean, amax, amin, found 'max'"),
    "rank": (lambda x, i: x.scatter(0, i[0], 1.0), "as many dimensions as its input"),
    "dtype": (lambda x, i: x.scatter(0, i, x.half()), "a src of the dtype of its input, float32"),
    "index": (lambda x, i: x[:, :1].scatter(0, i, 1.0), "its index is larger than its input"),
    "source": (lambda x, i: x.scatter(0, i, x[:1]), "its index is larger than its src"),
    "ways of rows": (
        lambda x, i: x.index_reduce(0, i[:, 0, 0], x, "sum"),
        "index_reduce: reduce is prod, mean, amax, amin, found 'sum'",
    ),
    "index_add": (lambda x, i: x.index_add(0, i[:, 0, 0], x[:1]), r"a source of shape \[3, 4, 2\]"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_torch_refuses_is_an_error_at_the_line(name: str) -> None:
    function, text = REFUSED[name]
    inputs = {"x": trtnet.Input((3, 4, 2)), "i": trtnet.Input((3, 4, 2), "int64")}
    with pytest.raises(LayerError, match=text) as caught:
        network_of(function, inputs)
    assert "test_scatter.py" in str(caught.value)


@pytest.mark.parametrize("reduce", ["mean", "amax"])
def test_scatter_reduce_builds_ahead_of_time(reduce: str) -> None:
    inputs = [X, places((2, 3, 1)), random_tensor(2, 3, 1)]
    network = defined(lambda m, x, i, s: m.scatter_reduce(x, 0, i, s, reduce, include_self=False), inputs, dynamic=True)
    sizes = {"s1": 1, "s2": (2, 2, 4), "s3": (3, 3, 5), "s4": (3, 4, 5)}
    assert len(network.build(sizes).plan.data) > 1000
