"""All ranks of a network on the CPU: where they meet, and what happens if one does not come."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import trtnet
from trtnet import nn, ops
from trtnet.ops.products.all_reduce import all_reduce
from trtnet.support.backend import supports
from trtnet.support.errors import ExecutionError, InputError

pytestmark = pytest.mark.skipif(not supports("collectives"), reason="this TensorRT has no collectives")

PLAN = trtnet.TensorParallel({"0": "column", "1": "row"})
WEIGHTS = {"0.weight": np.eye(4, 3, dtype=np.float32), "1.weight": np.eye(3, 4, dtype=np.float32)}


class Net(nn.Sequential):
    """extra: further sums over the ranks, one after another."""

    def __init__(self, extra: int = 0) -> None:
        super().__init__(nn.Linear(3, 4, bias=False), nn.Linear(4, 3, bias=False))
        self.extra = extra

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        y = super().forward(x)
        for _ in range(self.extra):
            y = all_reduce(y)
        return ops.relu(y)


def reference(rank: int, extra: int = 0) -> Any:
    inputs = {"x": trtnet.Input(("n", 3))}
    return trtnet.define(Net(extra), inputs, WEIGHTS, parallel=PLAN.of_rank(rank)).reference()


X = np.arange(6, dtype=np.float32).reshape(2, 3)


def test_ranks_sum_what_each_has() -> None:
    together = trtnet.Lockstep([reference(0), reference(1)])
    np.testing.assert_array_equal(together(X), X)
    np.testing.assert_array_equal(trtnet.Lockstep([reference(0, 2), reference(1, 2)])(X), 4 * X)


def test_one_rank_alone_says_what_runs_all() -> None:
    with pytest.raises(ExecutionError, match=r"1/all_reduce .*trtnet.Lockstep runs them together"):
        reference(0)(X)


@pytest.mark.parametrize("counts", [(0, 1), (2, 1)])
def test_ranks_that_do_not_meet_are_named_and_none_waits(counts: tuple[int, int]) -> None:
    together = trtnet.Lockstep([reference(rank, extra) for rank, extra in enumerate(counts)])
    with pytest.raises(ExecutionError, match=r"do not meet at one collective: rank 0 at .*the end|rank 1 at the end"):
        together(X)


def test_an_error_of_one_rank_is_raised_and_none_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    references = [reference(0), reference(1)]

    def fails(*_: object, **__: object) -> Any:
        raise ExecutionError("rank 1 has enough")

    monkeypatch.setattr(references[1], "run", fails)
    with pytest.raises(ExecutionError, match="rank 1 has enough"):
        trtnet.Lockstep(references)(X)


def test_all_ranks_are_needed_in_order() -> None:
    for given in ([], [reference(0)], [reference(1), reference(0)]):
        with pytest.raises(InputError, match=r"the references of all ranks in order: 0, 1, \.\.\.; found"):
            trtnet.Lockstep(given)
