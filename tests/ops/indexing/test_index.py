"""``x[...]``: every kind of index, alone and mixed, with static and dynamic sizes, against torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from helpers.comparing import network_of
from helpers.ops.both_libraries import defined, same_as_torch

import trtnet
from trtnet import ops
from trtnet.support.errors import InputError, LayerError, ProfileError

X = torch.arange(3 * 4 * 5 * 2.0).reshape(3, 4, 5, 2)


def ints(m: Any, *values: Any) -> Any:
    """A constant of integers in either library."""
    return torch.tensor(values) if m is torch else ops.as_tensor(np.array(values, np.int64))


INDICES = {
    "two": lambda m, x: x[:, ints(m, 0, 3), ints(m, 1, 4)],
    "two arrays": lambda m, x: x[:, np.array([0, -1]), np.array([1, -5])],
    "two lists": lambda m, x: x[[0, 2], [1, 3]],
    "three": lambda m, x: x[ints(m, 0, 2), ints(m, 1, 3), ints(m, 4, -1)],
    "all four": lambda m, x: x[[0, 2], [1, 3], [0, 4], [1, -1]],
    "broadcast": lambda m, x: x[ints(m, [0], [2]), ints(m, 1, 3, 0)],
    "broadcast of ranks": lambda m, x: x[:, ints(m, [0, 1], [2, 3]), ints(m, 4)],
    "array and tensor": lambda m, x: x[:, [[0], [3]], ints(m, 1, 2)],
    "separated": lambda m, x: x[ints(m, 0, 2), :, ints(m, 1, 3)],
    "separated behind": lambda m, x: x[:, ints(m, 0, 2), :, ints(m, 1, 0)],
    "separated by None": lambda m, x: x[ints(m, 0, 2), None, ints(m, 1, 3)],
    "an int between": lambda m, x: x[ints(m, 0, 2), 1, ints(m, 1, 3)],
    "an int and one": lambda m, x: x[0, :, ints(m, 1, 3)],
    "with Ellipsis": lambda m, x: x[ints(m, 0, 2), ..., ints(m, 1, 0)],
    "with slices": lambda m, x: x[1:, ints(m, 0, 2), ints(m, 1, 3), ::2],
    "with None": lambda m, x: x[None, :, ints(m, 0, 2), ints(m, 1, 3), None],
    "scalar tensors": lambda m, x: x[ints(m, 1)[0], :, ints(m, -1)[0]],
    "scalar and vector": lambda m, x: x[ints(m, 1)[0], :, ints(m, 0, 2)],
    "scalar array": lambda m, x: x[np.array(1)],
    "numpy ints": lambda m, x: x[np.int64(1), np.int32(0) : np.int64(3)],
    "int32": lambda m, x: x[:, ints(m, 0, 3).to(torch.int32) if m is torch else ints(m, 0, 3).int()],
    "empty list": lambda m, x: x[[]],
    "empty slice and int": lambda m, x: x[0, 1:1],
    "empty slice": lambda m, x: x[:, 3:2] * 2,
    "empty of many": lambda m, x: x[0, 0, 0, 5:],
    "Dim": lambda m, x: x[x.shape[0] - 1, : x.shape[1] - 1],
    "Dim from the end": lambda m, x: x[:, x.shape[1] - 6 :],
    "Dim stop from the end": lambda m, x: x[:, : x.shape[1] - 5],
    "Dim far from the end": lambda m, x: x[:, x.shape[1] - 60 : 3],
    "Dim position from the end": lambda m, x: x[:, x.shape[1] - 6],
    "Dim step": lambda m, x: x[:, :, :: x.shape[3]],
    "Dim half": lambda m, x: x[:, : x.shape[1] // 2, x.shape[2] // 2 :],
    "Dim modulo": lambda m, x: x[:, : x.shape[1] % 3],
    "slice beyond": lambda m, x: x[:, -9:9],
    "negative of ints": lambda m, x: x[:, -2:-1, -1],
}


@pytest.mark.parametrize("name", INDICES)
def test_an_index_equals_torch(name: str) -> None:
    same_as_torch(INDICES[name], X)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int32", "int64", "bool", "uint8"])
def test_indices_of_every_dtype(dtype: str) -> None:
    x = (X % 3).to(getattr(torch, dtype))
    same_as_torch(lambda m, x: x[:, 1:3, [0, 2]], x)
    same_as_torch(lambda m, x: x[:, [0, 2], [1, 3]], x)


def test_a_mask_that_is_known_chooses_its_places() -> None:
    rows, both = np.array([True, False, True]), np.arange(12).reshape(3, 4) % 3 == 0
    as_mask = lambda m, a: torch.as_tensor(a) if m is torch else a  # noqa: E731
    same_as_torch(lambda m, x: x[as_mask(m, rows)], X, dynamic=False)
    same_as_torch(lambda m, x: x[[True, False, True]], X, dynamic=False)
    same_as_torch(lambda m, x: x[as_mask(m, both)], X, dynamic=False)
    same_as_torch(lambda m, x: x[as_mask(m, both), [0] * 4], X, dynamic=False)
    same_as_torch(lambda m, x: x[:, 1:][:, :, as_mask(m, np.zeros(5, bool))], X, dynamic=False)


def test_runtime_indices_wrap_and_broadcast() -> None:
    i, j = torch.tensor([[0], [-1]]), torch.tensor([1, -4, 3])
    same_as_torch(lambda m, x, i, j: x[i, j], X, i, j)
    same_as_torch(lambda m, x, i, j: x[:, i, :, j[:2]], X[..., :1].expand(3, 4, 5, 6), i, j)


def test_parameters_are_indices() -> None:
    class Bias(trtnet.nn.Module):
        def __init__(self) -> None:
            self.table = trtnet.nn.Parameter(5, 2)
            self.index = trtnet.nn.Buffer(2, 2, dtype="int64")

        def forward(self, x: Any) -> Any:
            return x + self.table[self.index]

    weights = {"table": np.arange(10, dtype=np.float32).reshape(5, 2), "index": np.array([[4, 1], [0, 3]])}
    network = trtnet.define(Bias(), {"x": trtnet.Input((1,))}, weights)
    found = network.reference()(torch.zeros(1))
    assert np.array_equal(found.numpy(), weights["table"][weights["index"]])


REFUSED = {
    "a mask of the data": (lambda x: x[x > 0], "kernels for NON_ZERO|no kernels"),
    "floats": (lambda x: x[:, np.array([0.5])], "integers or is a mask, found float"),
    "a string": (lambda x: x["a"], "found str"),
    "a float": (lambda x: x[1.0], "found float"),
    "a float bound": (lambda x: x[: 1.5], "a slice takes ints and sizes, found 1.5"),
    "a bool": (lambda x: x[True], "found True"),
    "a negative step": (lambda x: x[::-1], "step must be positive, found -1; ops.flip"),
    "too many": (lambda x: x[0, [0], 0, 0, 0], "too many indices: 5 for 4"),
    "out of range": (lambda x: x[:, [0, 4], [1, 1]], "out of range for a dimension of size 4"),
    "not broadcast": (lambda x: x[[0, 1], [0, 1, 2]], r"shapes \[2\] and \[3\] do not broadcast"),
    "a mask of another size": (lambda x: x[[True, False]], "a mask of shape"),
    "two ellipses": (lambda x: x[..., 0, ...], "at most one Ellipsis"),
    "a list of lists of strings": (lambda x: x[["a"]], "found list"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_an_invalid_index_is_an_error_at_the_line(name: str) -> None:
    function, text = REFUSED[name]
    with pytest.raises(LayerError, match=text) as caught:
        network_of(function, {"x": trtnet.Input(tuple(X.shape))})
    assert "test_index.py" in str(caught.value)


@pytest.mark.parametrize("name", ["two", "separated", "empty slice and int", "Dim from the end"])
def test_indices_build_ahead_of_time(name: str) -> None:
    network = defined(INDICES[name], [X], dynamic=True)
    engine = network.build({dim: (1 if dim == "s2" else 3, 5, 6) for dim in network.dims} | {"s2": (2, 2, 2)})
    assert len(engine.plan.data) > 1000


@pytest.mark.parametrize(
    ("places", "most"),
    [
        (lambda length: ops.arange(length), 6),
        (lambda length: ops.arange(length)[None], 6),
        (lambda length: ops.arange(length).to("int32").unsqueeze(0), 6),
        (lambda length: ops.arange(2, length + 2), 4),
    ],
)
def test_places_beyond_a_table_are_refused(places: Any, most: int) -> None:
    """An engine would look them up beyond its end."""
    table = np.arange(12, dtype=np.float32).reshape(6, 2)
    network = network_of(lambda x: x + ops.embedding(places(x.shape[1]), table), {"x": trtnet.Input((1, "length", 2))})
    reference = network.reference()
    for length in (1, most):
        assert reference(np.zeros((1, length, 2), np.float32)).ravel().tolist() == (
            table[6 - most : 6 - most + length].ravel().tolist()
        )
    with pytest.raises(InputError, match=f"length is {most + 1}, .*places are counted up to .*, and their table has 6"):
        reference(np.zeros((1, most + 1, 2), np.float32))
    with pytest.raises(ProfileError, match="their table has 6 rows"):
        network.build({"length": (1, 2, most + 1)})
    network.build({"length": (1, 2, most)})
    with pytest.raises(LayerError, match=r"embedding of index 6, and the table has 6 rows(.|\n)*ops.embedding"):
        network_of(lambda x: ops.embedding(places(x.shape[1]), table), {"x": trtnet.Input((1, most + 1, 2))})
