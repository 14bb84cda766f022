"""What an engine computes of divisions whose quotients are rounded: torch's results, whatever its FLOOR_DIV does."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers.comparing import network_of
from helpers.ops.dividing import DIVISORS, EXTREMES, FUNCTIONS, INTEGER_DIVISORS, values

import trtnet
from trtnet import ops

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("name", FUNCTIONS)
def test_floats_by_numbers(name: str) -> None:
    def forward(x: Any) -> tuple[Any, ...]:
        return tuple(FUNCTIONS[name](ops, x, y) for y in DIVISORS)

    x = values()
    engine = network_of(forward, {"x": trtnet.Input(x.shape)}).build()
    for result, y in zip(engine(x.numpy()).values(), DIVISORS, strict=True):
        small = ~(x / y).abs().ge(2**23) | x.isinf() | torch.tensor(y == 0)
        wanted = FUNCTIONS[name](torch, x, y)
        torch.testing.assert_close(
            torch.from_numpy(result)[small], wanted[small], rtol=0, atol=0, equal_nan=True, msg=f"{name} {y}"
        )


@pytest.mark.parametrize("name", FUNCTIONS)
def test_floats_by_floats(name: str) -> None:
    x, y = values(), values().flip(0)
    network = network_of(lambda x, y: FUNCTIONS[name](ops, x, y), {k: trtnet.Input(x.shape) for k in "xy"})
    found, wanted = torch.from_numpy(network.build()(x.numpy(), y.numpy())), FUNCTIONS[name](torch, x, y)
    small = ~(x / y).abs().ge(2**23)
    torch.testing.assert_close(found[small], wanted[small], rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", EXTREMES)
def test_integers_at_the_extremes(dtype: str, name: str) -> None:
    x = torch.tensor(EXTREMES[dtype], dtype=getattr(torch, dtype))

    def forward(x: Any) -> tuple[Any, ...]:
        return tuple(FUNCTIONS[name](ops, x, y) for y in INTEGER_DIVISORS)

    found = network_of(forward, {"x": trtnet.Input(x.shape, dtype)}).build()(x.numpy()).values()
    for result, y in zip(found, INTEGER_DIVISORS, strict=True):
        assert torch.equal(torch.from_numpy(result), FUNCTIONS[name](torch, x, y)), f"{name} {y}"
