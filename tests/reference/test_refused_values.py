"""What torch refuses while the reference runs is an error at the line of the layer, with what the layer met."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import trtnet
from trtnet import nn, ops
from trtnet.support.errors import ExecutionError

HERE = r"\n  in tests/reference/test_refused_values\.py:\d+   "


class Inner(nn.Module):
    def __init__(self) -> None:
        self.e = nn.Embedding(4, 2)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return self.e(x)


class Outer(nn.Module):
    def __init__(self) -> None:
        self.block = Inner()

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return self.block(x)


class Model(nn.Module):
    def __init__(self, function: Any) -> None:
        self.function = function

    def forward(self, *inputs: trtnet.Tensor) -> Any:
        return self.function(*inputs)


def floats(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


def test_an_index_out_of_range_names_the_module_the_line_and_the_values() -> None:
    network = trtnet.define(Outer(), {"x": trtnet.Input(("n",), "int64")}, {"block.e.weight": floats(4, 2)})
    with pytest.raises(ExecutionError) as caught:
        network.reference()(np.array([1, 4]))
    headline, where, table, index = str(caught.value).splitlines()
    assert headline == "block.e/gather: index 4 at [1] is out of range: axis 0 of [4, 2] has 4 rows"
    assert where.startswith("  in tests/reference/test_refused_values.py:") and where.endswith("   return self.e(x)")
    assert table.split() == ["block.e/constant", "[4,", "2]", "float32"]
    assert index.split(maxsplit=1) == ["x", "[2] int64, 1 to 4"]


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (
            lambda x, index: ops.gather(x, 1, index),
            r"index 3 at \[1, 0\] is .*: axis 1 of \[2, 3\] has 3 entries",
        ),
        (lambda x, index: x[:, index[1, 0]], r"index 3.* is out of range: axis 1 of \[2, 3\] has 3 entries"),
        (lambda x, index: ops.scatter(x, 1, index, index.float()), r"index 3 at \[1, 0\] is out of range"),
    ],
    ids=["gather", "select", "scatter"],
)
def test_indices_of_other_layers_are_named(function: Any, words: str) -> None:
    inputs = {"x": trtnet.Input((2, 3)), "index": trtnet.Input((2, 1), "int64")}
    reference = trtnet.define(Model(function), inputs).reference()
    with pytest.raises(ExecutionError, match=words):
        reference(floats(2, 3), np.array([[0], [3]]))


def test_sizes_that_do_not_match() -> None:
    inputs = {"x": trtnet.Input(("a", 8)), "y": trtnet.Input(("b", 8))}
    network = trtnet.define(Model(lambda x, y: x + y), inputs)
    pattern = (
        rf"^add: .*{HERE}network = .*\n  x  \[2, 8\] float32\n  y  \[3, 8\] float32\n  torch: The size of tensor a"
    )
    with pytest.raises(ExecutionError, match=pattern):
        network.reference()(floats(2, 8), floats(3, 8))


def test_a_reshape_that_does_not_divide() -> None:
    network = trtnet.define(Model(lambda x: x.view(3, -1)), {"x": trtnet.Input(("n", 8))}, dtype="float16")
    with pytest.raises(
        ExecutionError, match=rf"^reshape: .*{HERE}.*\n  x  \[2, 8\] float16\n  torch: shape '\[3, -1\]'"
    ):
        network.reference()(floats(2, 8).astype(np.float16))


def test_a_loop_over_sequences_of_two_lengths() -> None:
    def scanned(x: trtnet.Tensor, y: trtnet.Tensor) -> Any:
        return ops.scan(lambda carry, pair: (carry + pair[0], pair[1]), x[0] * 0, (x, y))

    network = trtnet.define(Model(scanned), {"x": trtnet.Input(("a", 8)), "y": trtnet.Input(("b", 8))})
    with pytest.raises(ExecutionError, match=rf"^scan_iterator_1: .*{HERE}return ops\.scan.*\n  y  \[3, 8\] float32"):
        network.reference()(floats(5, 8), floats(3, 8))
