"""Bits of integers, which are computed by division, against torch: every sign, the largest numbers, every dtype."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers.ops.both_libraries import defined, same_as_torch

EDGES = [0, 1, -1, 2, -2, 5, -7, 255, 256, 12345, -54321, 2**31 - 1, -(2**31)]
LARGEST = [2**63 - 1, -(2**63), 2**62, -(2**62) - 1, 1234567890123456789, -987654321987654321]
INT64, INT32 = torch.tensor(EDGES + LARGEST), torch.tensor(EDGES, dtype=torch.int32)
UINT8 = torch.tensor([0, 1, 2, 7, 127, 128, 200, 255], dtype=torch.uint8)

FUNCTIONS = {
    "and": lambda m, x: x.unsqueeze(0) & x.unsqueeze(1),
    "or": lambda m, x: m.bitwise_or(x.unsqueeze(0), x.unsqueeze(1)),
    "xor": lambda m, x: x.unsqueeze(0).bitwise_xor(x.unsqueeze(1)),
    "not": lambda m, x: ~x,
    "numbers": lambda m, x: m.stack([x & 7, x & 12, 5 & x, x | 3, 6 | x, x ^ 1, 9 ^ x, x & 0]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("x", [INT64, INT32, UINT8], ids=lambda x: str(x.dtype))
def test_they_equal_torch(name: str, x: torch.Tensor) -> None:
    same_as_torch(FUNCTIONS[name], x)


@pytest.mark.parametrize("x", [INT64, INT32], ids=lambda x: str(x.dtype))
def test_signs_and_shifts_equal_torch(x: torch.Tensor) -> None:
    same_as_torch(lambda m, x: m.stack([x & -1, x & -8, x | -3, x ^ -5]), x)
    places = torch.arange(x.numel()).to(x.dtype) % 30

    def shifted(m: Any, x: Any, n: Any) -> Any:
        return m.stack([x >> n, m.bitwise_left_shift(x, n), (x >> 3) & 1])

    same_as_torch(shifted, x, places)


def test_they_build_ahead_of_time() -> None:
    network = defined(lambda m, x: (x & 3) + (x ^ (x >> 2)), [INT64], dynamic=True)
    size = INT64.numel()
    assert len(network.build({f"s{size}": (1, size, size)}).plan.data) > 1000
