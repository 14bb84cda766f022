"""Reshapes, splits and joins at sizes known and unknown, empty ones too, against torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from helpers.comparing import network_of, random_tensor
from helpers.ops.both_libraries import defined, same_as_torch

import trtnet
from trtnet.graph import Dim
from trtnet.support.errors import LayerError

X = random_tensor(3, 4, 6)


SAME = {
    "sizes of numpy": lambda m, x: x.reshape(np.int64(3), np.int32(24)),
    "a list": lambda m, x: m.reshape(x, [x.shape[0], -1]),
    "-1 of the rest": lambda m, x: x.reshape(-1, 8),
    "-1 in front": lambda m, x: x.permute(2, 0, 1).reshape(-1, x.shape[1]),
    "a product": lambda m, x: x.reshape(x.shape[0] * x.shape[1], -1).reshape(x.shape[0], x.shape[1], -1),
    "no elements": lambda m, x: x[:, 1:1].reshape(-1, 6),
    "no elements of two": lambda m, x: x[:, 1:1].reshape(0, 5),
    "no elements flattened": lambda m, x: x[:0].flatten(1),
    "no elements permuted": lambda m, x: x[:, :0].permute(1, 0, 2) * 2,
    "no elements squeezed": lambda m, x: x.unsqueeze(0)[:, :0].squeeze(0),
    "no elements joined": lambda m, x: m.cat([x[:, :0], x[:, 1:]], 1),
    "no elements summed": lambda m, x: x[:, :0].sum(1),
    "expand": lambda m, x: x[:, :1].expand([-1, np.int64(4), -1]),
    "unsqueeze": lambda m, x: x.unsqueeze(np.int64(1)),
    "chunk": lambda m, x: m.chunk(x, 2, 2),
    "chunk of a multiple": lambda m, x: m.cat([x, x * 2], 1).chunk(2, 1),
    "chunk in three": lambda m, x: x.chunk(3, dim=2)[:2],
    "chunk of odd": lambda m, x: x[:, 1:].chunk(2, 1),
    "split": lambda m, x: x.split([1, x.shape[1] - 1], dim=1),
    "split by a Dim": lambda m, x: m.cat([x, x * 2, x], 1).split(x.shape[1], 1),
    "split by the half": lambda m, x: m.split(m.cat([x, x * 2], 1), x.shape[1], 1),
    "tensor_split": lambda m, x: x.tensor_split(3, 1),
    "tensor_split of more": lambda m, x: m.tensor_split(x, 5, dim=1),
    "tensor_split at": lambda m, x: m.tensor_split(x, (1, 3), dim=2),
    "tensor_split beyond": lambda m, x: m.tensor_split(x, [2, 9], dim=1),
    "glu": lambda m, x: (torch.nn.functional if m is torch else m).glu(x, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_equals_torch(name: str) -> None:
    same_as_torch(SAME[name], X)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64", "float16"])
def test_elements_of_every_dtype_move(dtype: str) -> None:
    x = (X * 3).abs().to(getattr(torch, dtype))
    same_as_torch(lambda m, x: x.permute(2, 0, 1).reshape(6, -1)[:, 1:], x)
    same_as_torch(lambda m, x: m.cat([x, x[:, 1:]], 1).chunk(2, 0)[1], x, dynamic=False)


def test_minus_one_is_known_where_the_dims_cancel() -> None:
    shapes: dict[str, Any] = {}

    def forward(x: Any) -> Any:
        batch, n, channels = x.shape
        heads = x.reshape(batch, n, 2, channels // 2).transpose(1, 2).reshape(batch * 2, n, -1)
        shapes["heads"] = heads.shape
        shapes["back"] = heads.reshape(batch, 2, -1, channels // 2).shape
        shapes["twice"] = x.reshape(2 * batch, -1).reshape(batch, -1, channels).shape
        shapes["rest"] = x.reshape(-1, 5).shape
        return heads

    network_of(forward, {"x": trtnet.Input(("n", "t", 10))})
    n, t = network_of(lambda x: x * 1, {"x": trtnet.Input(("n", "t"))}).inputs["x"].shape
    assert shapes["heads"] == (n * 2, t, 5)
    assert shapes["back"] == (n, 2, t, 5)
    assert shapes["twice"] == (n, t, 10)
    assert isinstance(shapes["rest"][0], Dim)


REFUSED = {
    "elements": (lambda x: x.reshape(5, -1), "the number of elements differs"),
    "a float": (lambda x: x.reshape(3.0, -1), "reshape takes ints and sizes, found 3.0"),
    "a half": (lambda x: x.reshape(3 / 2, -1), "reshape takes ints and sizes, found 1.5"),
    "None": (lambda x: x.reshape(None), "reshape takes ints and sizes, found NoneType"),
    "two unknown": (lambda x: x.reshape(-1, -1), "only one size can be -1"),
    "negative": (lambda x: x.reshape(-2, 4), "a size is 0 or more, or -1"),
    "ambiguous": (lambda x: x[:0].reshape(0, -1), "-1 can be any size beside a 0"),
    "chunk of none": (lambda x: x.chunk(0), "above 0, found 0"),
    "split of none": (lambda x: x.split(0), "above 0, found 0"),
    "split sizes": (lambda x: x.split([1, 1], 1), "do not add up to 4"),
    "permute of a float": (lambda x: x.permute(0.0, 1, 2), "permute takes ints and sizes"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_an_error_at_the_line(name: str) -> None:
    function, text = REFUSED[name]
    with pytest.raises(LayerError, match=text) as caught:
        network_of(function, {"x": trtnet.Input(tuple(X.shape))})
    assert "test_shape.py" in str(caught.value)


@pytest.mark.parametrize("function", [lambda x: x.squeeze(1), lambda x: x.squeeze(), lambda x: x.squeeze((0, 1))])
def test_squeeze_of_an_unknown_size_is_an_error(function: Any) -> None:
    with pytest.raises(LayerError, match=r"whose size . is known only when the engine runs.*select"):
        network_of(function, {"x": trtnet.Input(("n", "t", 1))})
    same_as_torch(lambda m, x: x.squeeze(-1), X[..., :1], dynamic=False)
    same_as_torch(lambda m, x: x.squeeze((1, 2)), X[:, :1, :1].clone(), dynamic=False)


def test_split_into_an_unknown_number_is_an_error() -> None:
    with pytest.raises(LayerError, match=r"number of parts that is known only when the engine runs.*tensor_split"):
        network_of(lambda x: x.split(2), {"x": trtnet.Input(("n", 3))})


@pytest.mark.parametrize("name", ["chunk in three", "tensor_split", "glu", "a product", "no elements joined"])
def test_shapes_build_ahead_of_time(name: str) -> None:
    network = defined(SAME[name], [X], dynamic=True)
    sizes = {"s3": (1, 3, 5), "s4": (2, 4, 6), "s6": (6, 6, 12)}
    assert len(network.build(sizes).plan.data) > 1000


def test_the_size_of_two_that_broadcast_is_the_size_of_the_result() -> None:
    same_as_torch(lambda m, x: (x[:, :1] + x).reshape(-1, 6) * x.shape[0], X)
    same_as_torch(lambda m, x: m.broadcast_tensors(x[:, :1] * 2, x), X)
    same_as_torch(lambda m, x: (x[:, : x.shape[1] - 3] * x).flatten(1).shape[1] * x, X)


@pytest.mark.parametrize("name", ["cat", "stack", "hstack", "vstack", "dstack", "column_stack", "broadcast_tensors"])
def test_several_tensors_are_at_least_one(name: str) -> None:
    text = r"(?s)takes at least one tensor, found none.*tests/ops/shapes/test_shape\.py:\d+"
    with pytest.raises(LayerError, match=text):
        network_of(lambda x: getattr(trtnet.ops, name)([]), {"x": trtnet.Input((2,))})
