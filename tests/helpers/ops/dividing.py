"""Divisions whose quotients are rounded: functions of both libraries, and what they are tried with."""

from __future__ import annotations

import torch

FUNCTIONS = {
    "floor_divide": lambda m, x, y: x // y,
    "remainder": lambda m, x, y: x % y,
    "fmod": lambda m, x, y: m.fmod(x, y),
    "div floor": lambda m, x, y: m.div(x, y, rounding_mode="floor"),
    "div trunc": lambda m, x, y: m.div(x, y, rounding_mode="trunc"),
}
INF, NAN = float("inf"), float("nan")
SPECIAL = [0.0, 1.0, -1.0, 5.5, -5.5, 0.1, -0.3, 1e-20, 7e5, INF, -INF, NAN]
DIVISORS = [0.1, -0.1, 3.0, -3.0, 2.0, -0.5, 0.7, 1e6, 6.2831853, 0.0, INF, -INF, NAN]


def values(count: int = 4000) -> torch.Tensor:
    """Random sizes from 1e-3 to 1e5, multiples of tenths among them, and special values."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(count, generator=generator) * 10 ** (torch.rand(count, generator=generator) * 8 - 3)
    tenths = torch.arange(-500, 500) * 0.1
    return torch.cat([x, tenths, torch.tensor(SPECIAL)])


EXTREMES = {"int32": [2**31 - 1, -(2**31), 7, -7, 0, 1], "int64": [2**63 - 1, -(2**63), 2**53 + 1, 7, -7, 0]}
INTEGER_DIVISORS = [32, -32, 3, -3, 1, 2**31 - 1, -(2**31 - 1)]
