"""Quotients and rests with torch's signs, roundings and infinities."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from helpers.comparing import network_of
from helpers.ops.dividing import DIVISORS, EXTREMES, FUNCTIONS, INTEGER_DIVISORS, values

import trtnet
from trtnet import ops
from trtnet.support.errors import LayerError


@pytest.mark.parametrize("name", FUNCTIONS)
def test_floats_by_numbers(name: str) -> None:
    x = values()

    def forward(x: Any) -> tuple[Any, ...]:
        return tuple(FUNCTIONS[name](ops, x, y) for y in DIVISORS)

    found = network_of(forward, {"x": trtnet.Input(("n",))}).reference()(x).values()
    for result, y in zip(found, DIVISORS, strict=True):
        small = ~(x / y).abs().ge(2**23) | x.isinf() | torch.tensor(y == 0)
        torch.testing.assert_close(
            result[small], FUNCTIONS[name](torch, x, y)[small], rtol=0, atol=0, equal_nan=True, msg=f"{name} {y}"
        )


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_floats_by_floats(name: str, dtype: str) -> None:
    x, y = values(), values().flip(0)
    if dtype != "float32":
        x, y = (v.clamp(-60000, 60000).to(getattr(torch, dtype)) for v in (x, y))
    inputs = {"x": trtnet.Input(("n",), dtype), "y": trtnet.Input(("n",), dtype)}
    network = network_of(lambda x, y: FUNCTIONS[name](ops, x, y), inputs, dtype)
    found, wanted = network.reference()(x, y), FUNCTIONS[name](torch, x, y)
    small = ~(x.float() / y.float()).abs().ge(2**23)
    assert found.dtype == wanted.dtype
    # torch rounds the steps of a floor division to 16 bits, one after another
    rounding = {"float16": 4e-3, "bfloat16": 3e-2}.get(dtype, 0) if name in ("floor_divide", "div floor") else 0
    torch.testing.assert_close(found[small], wanted[small], rtol=rounding, atol=0, equal_nan=True)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", EXTREMES)
def test_integers_at_the_extremes(dtype: str, name: str) -> None:
    x = torch.tensor(EXTREMES[dtype], dtype=getattr(torch, dtype))

    def forward(x: Any) -> tuple[Any, ...]:
        return tuple(FUNCTIONS[name](ops, x, y) for y in INTEGER_DIVISORS)

    found = network_of(forward, {"x": trtnet.Input(x.shape, dtype)}).reference()(x).values()
    for result, y in zip(found, INTEGER_DIVISORS, strict=True):
        assert torch.equal(result, FUNCTIONS[name](torch, x, y)), f"{name} {y}"


@pytest.mark.parametrize("name", ["fmod", "remainder"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "int64"])
def test_rests_of_large_quotients(dtype: str, name: str) -> None:
    x = (values() * 1e9).nan_to_num(0, 0, 0)
    x = (x.clamp(-6e4, 6e4) if dtype == "float16" else x).to(getattr(torch, dtype))
    main = "float16" if dtype == "float16" else "float32"
    y = (torch.rand(x.shape, generator=torch.Generator().manual_seed(1)) * 1e-3 + 1e-6).to(getattr(torch, main))
    divisors = (y, 1e-4, 0.3) if main == "float16" else (y, 1e-8, 0.1)

    def forward(x: Any, y: Any) -> tuple[Any, ...]:
        return tuple(FUNCTIONS[name](ops, x, z) for z in (y, *divisors[1:]))

    inputs = {"x": trtnet.Input(("n",), dtype), "y": trtnet.Input(("n",))}
    found = network_of(forward, inputs, main).reference()(x, y).values()
    for result, z in zip(found, divisors, strict=True):
        wanted, small = FUNCTIONS[name](torch, x, z), (x.double() / z).abs() < 2.0**69
        torch.testing.assert_close(result[small], wanted[small], rtol=0, atol=0, msg=f"{name} {z}")


def of_any_size(count: int, least: int) -> torch.Tensor:
    """Signed float32 values whose exponents are drawn evenly."""
    generator = torch.Generator().manual_seed(least)
    exponents = torch.randint(least, 127, (count,), generator=generator)
    signs = torch.randint(0, 2, (count,), generator=generator) * 2 - 1
    return torch.ldexp((1 + torch.rand(count, generator=generator)) * signs, exponents)


def test_rests_of_quotients_of_any_size_are_exact() -> None:
    """numpy's, of the C library: torch's own vector instructions give NaN for the largest quotients."""
    x, y = of_any_size(4000, -126), of_any_size(4000, -103)
    divisors = (y, 0.1, 1e-8, 1e-30, 3e-38, 7.0, 1e30, 3e38)

    def forward(x: Any, y: Any) -> tuple[Any, ...]:
        return tuple(function for z in (y, *divisors[1:]) for function in (ops.fmod(x, z), x % z))

    inputs = {"x": trtnet.Input(("n",)), "y": trtnet.Input(("n",))}
    found = list(network_of(forward, inputs).reference()(x, y).values())
    pairs = zip(found[::2], found[1::2], strict=True)
    for (rest, modulo), z in zip(pairs, divisors, strict=True):
        divisor = torch.as_tensor(z, dtype=torch.float32).numpy()
        wanted = np.fmod(x.numpy(), divisor)
        np.testing.assert_array_equal(rest.numpy(), wanted, err_msg=str(z))
        signed = np.where((wanted != 0) & ((wanted < 0) != (divisor < 0)), wanted + divisor, wanted)
        np.testing.assert_array_equal(modulo.numpy(), signed, err_msg=str(z))


def test_another_rounding_mode_is_refused_at_the_line() -> None:
    with pytest.raises(
        LayerError, match=r"rounding_mode is None, 'floor' or 'trunc', found 'up'\n  in .*test_division"
    ):
        network_of(lambda x: ops.div(x, 2, rounding_mode="up"), {"x": trtnet.Input((2,))})


def test_they_build() -> None:
    inputs = {"x": trtnet.Input(("n",)), "y": trtnet.Input(("n",))}

    def forward(x: Any, y: Any) -> tuple[Any, ...]:
        return tuple(f(ops, x, z) for f, z in itertools.product(FUNCTIONS.values(), (y, 0.1, 2.0)))

    outputs = network_of(forward, inputs).build({"n": (1, 4, 8)}).plan.info.outputs
    assert [(x.shape, x.dtype) for x in outputs] == [(("n",), "float32")] * 3 * len(FUNCTIONS)
