"""torch's and numpy's functions and operators on tensors of a network."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.comparing import network_of

import trtnet
from trtnet import nn
from trtnet.support.errors import ModelError

LEFT = np.arange(1, 9, dtype=np.float32)
RIGHT = np.arange(16, dtype=np.float32).reshape(2, 8) / 8 + 0.5
INPUT = {"x": trtnet.Input(("n", 8))}

REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "torch": (lambda x: torch.relu(x), r"torch\.relu was called with a trtnet tensor; use trtnet\.ops\.relu"),
    "functional": (lambda x: F.gelu(x), r"torch\.nn\.functional\.gelu was .*; use trtnet\.ops\.gelu"),
    "a list": (lambda x: torch.cat([x, x]), r"torch\.cat was .*; use trtnet\.ops\.cat"),
    "a module": (lambda x: torch.nn.ReLU()(x), r"torch\.nn\.functional\.relu was .*; use trtnet\.ops\.relu"),
    "a module with weights": (lambda x: torch.nn.Linear(8, 2)(x), r"torch\.nn\.functional\.linear was called with"),
    "a parameter": (lambda x: torch.relu(nn.Parameter(2)), r"torch\.relu was called with a trtnet tensor; use"),
    "torch, unknown": (lambda x: torch.lgamma(x), r"torch\.lgamma was .*; TensorRT has no layer for this function"),
    "numpy": (lambda x: np.exp(x), r"numpy\.exp was called with a trtnet tensor; use trtnet\.ops\.exp"),
    "numpy, out": (lambda x: np.add(LEFT, x, out=LEFT), r"numpy\.add was .*; use trtnet\.ops\.add"),
    "numpy, reduced": (lambda x: np.add.reduce(x), r"numpy\.add\.reduce was .*; trtnet\.ops has no function"),
    "numpy, a list": (lambda x: np.stack([x, x]), r"numpy\.stack was .*; use trtnet\.ops\.stack"),
    "numpy, unknown": (lambda x: np.fft.fft(x), r"numpy\.fft\.fft was .*; trtnet\.ops has no function of that name"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_functions_say_what_to_use_instead(name: str) -> None:
    function, pattern = REFUSED[name]
    with pytest.raises(ModelError, match=rf"^{pattern}.*\n  in tests/graph/test_symbolic\.py:\d+   \S"):
        network_of(function, INPUT)


OPERATORS = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "lt", "le", "gt", "ge", "eq", "ne"]


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("left", [LEFT, torch.from_numpy(LEFT), np.float32(1.5)], ids=["array", "torch", "number"])
def test_operators_with_something_else_on_the_left(name: str, left: Any) -> None:
    apply = getattr(operator, name)
    found = network_of(lambda x: apply(left, x), INPUT).reference()(RIGHT)
    np.testing.assert_allclose(found, apply(np.asarray(left), RIGHT), rtol=1e-6)


@pytest.mark.parametrize("name", ["and_", "or_", "xor"])
def test_bools_with_an_array_on_the_left(name: str) -> None:
    apply, left, right = getattr(operator, name), np.array([True, True, False]), np.array([True, False, False])
    found = network_of(lambda x: apply(left, x), {"x": trtnet.Input((3,), "bool")}).reference()(right)
    assert found.tolist() == apply(left, right).tolist()


def test_products_with_something_else_on_the_left() -> None:
    left = np.ones((3, 2), np.float32)
    for given in (left, torch.from_numpy(left)):
        found = network_of(lambda x, given=given: given @ x, INPUT).reference()(RIGHT)
        np.testing.assert_allclose(found, left @ RIGHT, rtol=1e-6)


@pytest.mark.parametrize("sizes", [(3, 4), ((3, 4),), (torch.Size([3, 4]),), (np.int64(3), 4)])
def test_a_parameter_takes_sizes(sizes: tuple[Any, ...]) -> None:
    assert nn.Parameter(*sizes).shape == (3, 4) and repr(nn.Buffer(*sizes)) == "Buffer(3, 4)"


@pytest.mark.parametrize("sizes", [(torch.ones(16),), (np.ones(3),), ([16],), ("n", 3), (-1,), (2.0,), ((3, 4), 5)])
def test_a_parameter_takes_nothing_else(sizes: tuple[Any, ...]) -> None:
    with pytest.raises(ModelError, match=r"^Parameter takes sizes: Parameter\(16\), Parameter\(3, 4\)\n  in tests"):
        nn.Parameter(*sizes)
