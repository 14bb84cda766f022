"""Functions that assert: pytest rewrites what asserts in the files of tests, and not here."""

from __future__ import annotations

import torch


def of_asserts(x: torch.Tensor) -> torch.Tensor:
    assert (x < 9).all(), f"too large: {x.shape}"
    assert not torch.isnan(x).any()
    with torch.no_grad():
        assert (x[0] < 9).all() and (x[1] < 9).all()
    torch._assert((x < 9).all(), "too large")
    return x * 2


def of_lengths(x: torch.Tensor) -> torch.Tensor:
    longest = (x > 0).sum(1).max().item()
    assert longest <= x.shape[1]
    if longest > 9:
        raise ValueError(longest)
    return x * 2
