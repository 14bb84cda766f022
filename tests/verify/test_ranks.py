"""Tensor-parallel networks against their originals: a missing all-reduce is named."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import trtnet
from trtnet.ops.products import linear
from trtnet.ops.products.all_reduce import all_reduce
from trtnet.support.backend import supports
from trtnet.support.errors import ExecutionError
from trtnet.verify.bisection.taps import LockstepTaps

pytestmark = pytest.mark.skipif(not supports("collectives"), reason="this TensorRT has no collectives")

PLAN = trtnet.TensorParallel({"*.qkv": "column:3", "*.proj": "row", "*.up": "column", "*.down": "row"})


class Block(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.proj = torch.nn.Linear(8, 24), torch.nn.Linear(8, 8)
        self.up, self.act, self.down = torch.nn.Linear(8, 16), torch.nn.GELU(), torch.nn.Linear(16, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        parts = self.qkv(x).chunk(3, -1)
        q, k, v = (part.unflatten(-1, (-1, 2)).transpose(1, 2) for part in parts)
        x = x + self.proj(torch.nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return x + self.down(self.act(self.up(x)))


def networks() -> list[Any]:
    torch.manual_seed(0)
    model = torch.nn.Sequential(Block(), Block()).eval()
    inputs = {"x": trtnet.Input(("n", 5, 8))}
    return [trtnet.define(model, inputs, parallel=PLAN.of_rank(rank)) for rank in range(2)]


X = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(1))


def test_all_ranks_together_pass() -> None:
    ranks = networks()
    result = trtnet.bisect(ranks[0], inputs=X, on=LockstepTaps(ranks))
    assert result.passed, result
    assert {row.verdict for row in result.rows} == {"agrees"}
    report = trtnet.compare(trtnet.Lockstep([each.reference() for each in ranks]), ranks[0].original, X)
    assert report.passed, report


@pytest.mark.parametrize("path", ["0.proj", "1.down"])
def test_a_missing_all_reduce_is_named(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def without(x: trtnet.Tensor) -> trtnet.Tensor:
        if x.network.path != path:
            return all_reduce(x)
        x.network.division.summed(x)
        return x

    monkeypatch.setattr(linear, "all_reduce", without)
    ranks = networks()
    result = trtnet.bisect(ranks[0], inputs=X, on=LockstepTaps(ranks))
    assert (result.passed, result.module) == (False, path)
    assert not trtnet.compare(trtnet.Lockstep([each.reference() for each in ranks]), ranks[0].original, X).passed


def test_one_rank_alone_is_not_bisected() -> None:
    with pytest.raises(ExecutionError, match=r"trtnet.Lockstep runs them together"):
        trtnet.bisect(networks()[0], inputs=X)
