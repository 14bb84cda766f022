"""Arithmetic of sizes that are known only at run time: what Python computes, with ints and with floats."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from helpers.comparing import network_of

import trtnet
from trtnet.support.errors import ModelError

INTEGERS = {
    "minus": lambda n: (-n) % 4,
    "upwards": lambda n: -(-n // 4),
    "reflected": lambda n: 100 // n + 100 % n,
    "divmod": lambda n: divmod(n, 3)[0] + divmod(7, n)[1],
    "power": lambda n: n**2 + n**0,
    "abs": lambda n: abs(3 - n) + abs(n),
    "plus": lambda n: +n,
    "bits": lambda n: (n & 3) + (n << 2) + (n >> 1),
    "numpy": lambda n: np.int64(3) * n + n * np.int32(2) - np.int64(1),
    "negative divisor": lambda n: n // -3 + n % -3 + (3 - n) // 2,
    "half": lambda n: math.floor(n * 0.5),
    "ceil": lambda n: math.ceil(n / 4),
    "floor": lambda n: math.floor(n / 4),
    "trunc": lambda n: math.trunc(n / 3),
    "round": lambda n: round(n / 2) + round(n * 0.25),
    "quarters": lambda n: math.floor(n * 0.75 + 0.3),
    "times": lambda n: math.ceil(n / 8) * 8 - n,
    "mixed": lambda n: math.floor((n - 1) / 2 + 1.5),
    "floats": lambda n: math.floor(n * 1.5 // 2),
    "float remainder": lambda n: math.floor(n * 0.5 % 2),
    "of a size": lambda n: math.floor(n) + round(n) + math.ceil(n) + math.trunc(n),
    "two": lambda n: math.ceil(n / (n + 1)) + math.floor((2 * n) / (n + 1)),
}
FLOATS = {
    "reciprocal": lambda n: 1.0 / n,
    "half": lambda n: n * 0.5,
    "root": lambda n: n**0.5,
    "inverse root": lambda n: n**-0.5,
    "one less": lambda n: (n - 1) / 2,
    "negative": lambda n: -(n / 3),
    "odd factor": lambda n: n * 0.123456789 + 1.5,
    "reflected": lambda n: 2.5 - n / 7,
    "negative power": lambda n: n**-2,
    "numpy": lambda n: np.float32(0.5) * n,
    "power of a float": lambda n: 0.5**n,
}


@pytest.mark.parametrize("name", INTEGERS)
def test_sizes_are_what_python_computes(name: str) -> None:
    function = INTEGERS[name]
    reference = network_of(lambda x: x[:1] * 0 + function(x.shape[0]), {"x": trtnet.Input(("n",), "int64")}).reference()
    for n in (1, 2, 3, 4, 5, 6, 7, 8, 10, 13, 16, 100):
        assert reference(np.zeros(n, np.int64)).tolist() == [function(n)], n


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_floats_of_sizes_beside_tensors(dtype: str, name: str) -> None:
    function = FLOATS[name]

    def forward(x: Any) -> tuple[Any, ...]:
        return x * function(x.shape[0]), function(x.shape[0]) + x

    network = network_of(forward, {"x": trtnet.Input(("n",), dtype)}, dtype)
    reference, rounding = network.reference(), 1e-6 if dtype == "float32" else 1e-3
    for n in (1, 2, 3, 10, 13, 100):
        x = torch.linspace(-2, 3, n).to(getattr(torch, dtype))
        for found, wanted in zip(reference(x).values(), forward(x.float()), strict=True):
            torch.testing.assert_close(found, wanted.to(x.dtype), rtol=rounding, atol=1e-6)
    network.build({"n": (1, 4, 100)})


def test_they_are_floats_beside_integers() -> None:
    network = network_of(lambda x: (x * (x.shape[0] / 2), x + x.shape[0] * 1.0), {"x": trtnet.Input(("n",), "int64")})
    x = torch.arange(5)
    for found, wanted in zip(network.reference()(x).values(), (x * 2.5, x + 5.0), strict=True):
        assert found.dtype == torch.float32 and torch.equal(found, wanted)


def test_sizes_made_of_floats_build() -> None:
    def forward(x: Any) -> tuple[Any, ...]:
        n = x.shape[1]
        return x[:, : math.ceil(n / 4)] * 1, x[:, : math.floor(n * 0.5)] * 1, x[:, : -(-n // 3)] * 1, x.sum(1) / n**0.5

    network = network_of(forward, {"x": trtnet.Input((2, "n"))})
    network.build({"n": (2, 5, 9)})
    for n in (2, 5, 9):
        x = torch.randn(2, n)
        for found, wanted in zip(network.reference()(x).values(), forward(x), strict=True):
            torch.testing.assert_close(found, wanted)


def test_comparisons_that_hold_for_every_size_are_decided() -> None:
    def forward(x: Any) -> Any:
        n = x.shape[0]
        holds = (
            n > 0,
            n >= 1,
            n != 0,
            n != -1,
            n * 7 >= 7,
            2 * n + 1 > 2,
            (n + 1) // 2 > 0,
            np.int64(0) < n,
            n / 2 >= 0,
        )
        fails = (n < 1, n <= 0, n == 0, n * 2 < 2, n + 3 == 1, max(n, 0) is not n)
        assert all(found is True for found in holds) and not any(fails)
        return x + 1

    network_of(forward, {"x": trtnet.Input(("n",))})


def test_a_size_in_a_text_is_its_name() -> None:
    def forward(x: Any) -> Any:
        n = x.shape[0]
        assert f"{n} {n:d} {n * 2:>3}" == "n n (n * 2)"
        return x + 1

    network_of(forward, {"x": trtnet.Input(("n",))})


REFUSED = {
    "int": (lambda n: int(n * 0.5), r"a size computed from n is known only when the engine runs.*math\.floor"),
    "int of a size": (lambda n: int(n), r"dimension n is known only when"),
    "sqrt": (lambda n: math.sqrt(n), r"dimension n is known only when.*\*\* 0\.5"),
    "floor of a root": (lambda n: math.floor(n**0.5), r"math\.floor\(\(n \*\* 0\.5\)\) has no exact value"),
    "rounding": (lambda n: math.ceil(n * 1.1), r"ceil\(\(n \* 1\.1\)\) is not what it would be.*where n is \d+"),
    "seven tenths": (lambda n: math.floor(n * 0.7), r"floor\(\(n \* 0\.7\)\) is not what it would be.*where n is 90,"),
    "digits": (lambda n: round(n / 3, 1), r"only round\(\(n / 3\)\) has an exact value"),
    "compared": (lambda n: n * 0.5 > 2, r"whether \(n \* 0\.5\) > 2 was asked"),
    "larger": (lambda n: n > 1, r"dimension n is known only when.*whether n > 1 was asked"),
    "at most": (lambda n: n <= 8, r"whether n <= 8 was asked"),
    "smaller": (lambda n: n.__gt__(8), r"whether n > 8 was asked"),
    "between": (lambda n: 0 < n < 4, r"whether n < 4 was asked"),
    "a difference": (lambda n: n - 1 >= 0, r"whether \(n - 1\) >= 0 was asked"),
    "odd": (lambda n: 1 if n % 2 == 1 else 2, r"a size computed from n is known only .*whether .* is 1 was asked"),
    "another": (lambda n: int(n != 3), r"dimension n is known only when.*whether n is 3 was asked.*ops\.where"),
    "a member": (lambda n: int(n in (4, 8)), r"whether n is 4 was asked"),
    "an index": (lambda n: [n, 4].index(4), r"whether n is 4 was asked"),
    "of numpy": (lambda n: int(np.int64(3) == n), r"whether n is 3 was asked"),
    "a float": (lambda n: int(n * 0.5 == 2), r"whether \(n \* 0\.5\) is 2 was asked"),
    "shapes": (lambda n: int((n, 3) == (4, 3)), r"whether n is 4 was asked"),
    "sizes made of it": (lambda n: int(n == n + 1 - 1), r"whether n is .* was asked"),
    "below zero": (lambda n: int(n - 4 == -1), r"whether \(n - 4\) is -1 was asked"),
    "index": (lambda n: [0][n * 0.5], r"known only when"),
    "none": (lambda n: n + None, r"\+ of a size and a NoneType"),
    "text": (lambda n: "a" * n, r"\* of a size and a str"),
    "list": (lambda n: n - [1], r"- of a size and a list"),
    "complex": (lambda n: n * 1j, r"\* of a size and a complex"),
    "zero": (lambda n: n // 0, r"n // 0 has no value"),
    "zero float": (lambda n: n / 0, r"n / 0 has no value"),
    "power of two": (lambda n: 2**n, r"2 \*\* n: TensorRT has no powers of sizes"),
    "bits": (lambda n: n | 1, r"n \| 1: TensorRT has no bitwise operations on sizes"),
    "abs": (lambda n: abs(n * 0.5), r"abs\(\(n \* 0\.5\)\) of a float computed from sizes"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_value_yet_is_an_error_at_the_line(name: str) -> None:
    function, pattern = REFUSED[name]
    with pytest.raises(ModelError, match=f"(?s){pattern}.*in tests/graph/test_sizes.py"):
        network_of(lambda x: x * function(x.shape[0]), {"x": trtnet.Input(("n",))})


def test_sizes_of_other_names_are_not_compared() -> None:
    inputs = {"x": trtnet.Input(("n", 4)), "y": trtnet.Input(("m", 4))}
    with pytest.raises(ModelError, match=r"(?s)whether n is m was asked.*in tests/graph/test_sizes.py"):
        network_of(lambda x, y: x if x.shape == y.shape else y, inputs)


def test_torchs_own_python_is_a_models() -> None:
    """Its checks and branches decide, too: before a batch norm it asks for more than one value a channel."""
    with pytest.raises(ModelError, match=r"(?s)whether n is 1 was asked.*in tests/graph/test_sizes.py"):
        network_of(lambda x: _asked(x.shape) or x, {"x": trtnet.Input(("n", 4))})


def _asked(shape: Any) -> None:
    torch.nn.functional._verify_batch_size((*shape[:1], 1))  # type: ignore[no-untyped-call]


def test_what_is_known_of_sizes_has_an_answer() -> None:
    """One name is one size; a shape is never below 0, and never no number at all."""

    def forward(x: Any, y: Any) -> Any:
        n, half = x.shape[0], x.shape[0] // 2
        assert (
            x.shape == y.shape
            and n == y.shape[0]
            and not [k for k in (n,) if k != y.shape[0]]
            and half == y.shape[0] // 2
        )
        assert n in (n, 4) and 4 in x.shape[1:] and {n: 1}[y.shape[0]] == 1 and len({n, y.shape[0], half, 4}) == 3
        assert n != -1 and -1 not in (n * 2 + 1, half) and n is not None and n != None and n != "n"  # noqa: E711
        assert n * 0.5 == y.shape[0] * 0.5 and len({n * 0.5, y.shape[0] * 0.5}) == 1
        return x + y

    network_of(forward, {"x": trtnet.Input(("n", 4)), "y": trtnet.Input(("n", 4))})


@pytest.mark.parametrize("array", [np.array([1.0, 2.0], np.float32), torch.tensor([1, 2])])
def test_sizes_beside_arrays_are_tensors(array: Any) -> None:
    network = network_of(lambda x: (x.shape[0] * array, array - x.shape[0]), {"x": trtnet.Input(("n",))})
    values = torch.as_tensor(array)
    for found, wanted in zip(network.reference()(torch.zeros(3)).values(), (3 * values, values - 3), strict=True):
        assert torch.equal(found, wanted) and found.dtype == wanted.dtype
