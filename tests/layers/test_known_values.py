"""Values that are known while a network is defined are those that the reference computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from helpers.comparing import Function

import trtnet
from trtnet import ops
from trtnet.graph.layers.values import FUNCTIONS, KnownValues
from trtnet.graph.shapes import constant

A = np.arange(24, dtype=np.float32).reshape(2, 3, 4) - 11
PROGRAMS: dict[str, Callable[[Any, Any], Any]] = {
    "elementwise": lambda a, b: (a + b, a - b, a * b, ops.maximum(a, b), ops.minimum(a, b)),
    "comparisons": lambda a, b: (a == b, a > b, a < b, (a > b) | (a == b), (a >= b) & (a <= 3), (a > b) ^ (b > 0)),
    "unary": lambda a, b: (-a, ops.abs(a), ~(a > b)),
    "casts": lambda a, b: (a.to("int32"), (a > 0).to("float16"), a.to("float16").to("float32"), b.to("bfloat16")),
    "select": lambda a, b: (ops.where(a > b, a, b), a.masked_fill(a > 0, -1.0)),
    "joined": lambda a, b: (ops.cat([a, b, a], 1), ops.stack([a, b], -1)),
    "moved": lambda a, b: (a.permute(2, 0, 1), a.reshape(6, 4).T.reshape(3, 8), a.unsqueeze(1), a[:1].squeeze(0)),
    "cut": lambda a, b: (a[:, 1:, ::2], a[..., -1], a.flip(2), a[:1].expand(5, 3, 4), a.roll(1, 1), b.repeat(1, 2, 1)),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_values_are_the_references(name: str) -> None:
    made: list[Any] = []

    def model(x: Any) -> Any:
        a, b = constant(x.network, A), constant(x.network, np.roll(A, 5))
        made.extend(PROGRAMS[name](a, b))
        return {f"y{i}": y.clone() for i, y in enumerate(made)} | {"z": x + 1}

    network = trtnet.define(Function(model), {"x": trtnet.Input((2,))}, {})
    found = network.reference()(torch.zeros(2))
    for i, tensor in enumerate(made):
        value = network.known.value(tensor.trt)
        assert value is not None and value.dtype == tensor.dtype.numpy
        assert (value.astype(np.float32) == found[f"y{i}"].float().numpy()).all()


def test_what_depends_on_an_input_or_a_weight_is_not_known() -> None:
    made: list[Any] = []

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.shift = torch.nn.Parameter(torch.ones(3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            made.extend((x + 1, self.shift * 2, torch.cat([x, torch.zeros(1, 3)]), torch.exp(torch.ones(3) + 1)))
            return x + self.shift

    network = trtnet.define(Net().eval(), {"x": trtnet.Input((1, 3))})
    tensors = [each for each in made if hasattr(each, "trt")]
    assert all(network.known.value(each.trt) is None for each in tensors)


def test_a_value_that_is_too_large_is_not_computed() -> None:
    made: list[Any] = []

    def model(x: Any) -> Any:
        made.append(constant(x.network, A[:1, :1, :1]).expand(1 << 12, 1 << 11, 1))
        return x + 1

    network = trtnet.define(Function(model), {"x": trtnet.Input((2,))}, {})
    assert made[0].trt in network.known and network.known.value(made[0].trt) is None


def test_layers_without_a_function_make_nothing_known() -> None:
    known = KnownValues()
    known.give("a", A)
    known.note("softmax", None, ["a"], ["b"])
    assert "softmax" not in FUNCTIONS and "b" not in known and "a" in known


OTHERS: list[Callable[[Any], Any]] = [
    lambda a: a + 1,
    lambda a: a + 2,
    lambda a: a - 1,
    lambda a: -a,
    lambda a: ops.abs(a),
    lambda a: a[1:],
    lambda a: a[:1],
    lambda a: a[:, ::2],
    lambda a: a[..., ::2],
    lambda a: a.permute(2, 0, 1),
    lambda a: a.permute(1, 2, 0),
    lambda a: a.reshape(4, 6),
    lambda a: a.reshape(6, 4),
    lambda a: a.to("float16"),
    lambda a: a.to("int32"),
    lambda a: ops.cat([a, a], 0),
    lambda a: ops.cat([a, a], 1),
    lambda a: ops.cat([a, a, a], 1),
    lambda a: ops.where(a > 0, a, 0.0),
    lambda a: ops.where(a < 0, a, 0.0),
]


def test_what_equal_layers_make_of_the_same_has_one_number() -> None:
    numbers: list[list[int]] = []

    def model(x: Any) -> Any:
        a = constant(x.network, A)
        for _ in range(2):
            numbers.append([x.network.known.number(function(a).trt) for function in OTHERS])
        return x + 1

    trtnet.define(Function(model), {"x": trtnet.Input((2,))}, {})
    assert numbers[0] == numbers[1] and len(set(numbers[0])) == len(OTHERS)


def test_sizes_are_known_to_be_the_same_and_have_no_values() -> None:
    made: list[Any] = []

    def model(x: Any) -> Any:
        made.extend(ops.arange(n, network=x.network) * 2 for n in (x.shape[0], x.shape[1], x.shape[0]))
        return x + 1

    network = trtnet.define(Function(model), {"x": trtnet.Input(("n", "s"))}, {})
    first, second, third = (network.known.number(y.trt) for y in made)
    assert first == third != second and all(network.known.value(y.trt) is None for y in made)
