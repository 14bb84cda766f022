"""Random programs of views, writes and reads are torch's, or refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from helpers.comparing import network_of, random_tensor
from hypothesis import HealthCheck, given, settings, strategies as st

import trtnet
from trtnet import ops
from trtnet.support.errors import LayerError

Step = tuple[str, int, int, int]
"""A kind of step, and three numbers that say of which tensors and where, modulo what there is."""

VIEWS = ("t", "flat", "view", "slice", "steps", "row", "column", "unsqueeze", "chunk", "diagonal", "reshape", "expand")
WRITES = ("add", "add_tensor", "relu", "set", "set_row", "set_steps", "mask", "index", "copy", "fill", "zero_column")
READS = ("sum", "clone", "contiguous", "alias")
STEPS = st.lists(
    st.tuples(st.sampled_from(VIEWS + WRITES + WRITES + READS), *(st.integers(0, 11) for _ in range(3))),
    min_size=2,
    max_size=9,
)
COUNTS = {"equal": 0, "refused": 0, "refused by torch": 0}


def play(f: Any, tensors: list[Any], steps: list[Step]) -> list[Any]:
    """All tensors there are after the steps; what does not fit a tensor's shape is left out, over both alike."""
    there = list(tensors)
    for kind, which, a, b in steps:
        made = step(f, kind, there[which % len(there)], there[a % len(there)], a, b)
        if made is not None:
            there.append(made)
    return there


def step(f: Any, kind: str, x: Any, y: Any, a: int, b: int) -> Any:
    rank, shape = len(x.shape), tuple(map(int, x.shape))
    count = int(np.prod(shape))
    axis = b % rank if rank else 0
    match kind:
        case "t" if rank >= 2:
            return x.transpose(a % rank, b % rank)
        case "flat":
            return x.flatten()
        case "view" if count % 4 == 0 and x.is_contiguous():
            return x.view(4, count // 4)
        case "reshape" if count % 3 == 0:
            return x.reshape(3, count // 3)
        case "slice" if rank and shape[0] > 1:
            return x[a % (shape[0] - 1) :]
        case "steps" if rank and shape[-1] > 2:
            return x[..., a % 2 :: 2]
        case "row" if rank > 1:
            return x[a % shape[0]]
        case "column" if rank > 1:
            return x.select(axis, a % shape[axis])
        case "unsqueeze" if rank < 4:
            return x.unsqueeze(b % (rank + 1))
        case "chunk" if rank and shape[axis] > 1:
            return x.chunk(2, axis)[a % 2]
        case "diagonal" if rank == 2:
            return x.diagonal()
        case "expand" if rank and rank < 4:
            return x.unsqueeze(0).expand(2, *shape)
        case "sum":
            return x * 2 + a
        case "clone":
            return x.clone()
        case "contiguous":
            return x.contiguous()
        case "alias":
            return x.detach()
        case _:
            write(f, kind, x, y, a, b)
    return None


def write(f: Any, kind: str, x: Any, y: Any, a: int, b: int) -> None:
    rank, shape = len(x.shape), tuple(map(int, x.shape))
    match kind:
        case "add":
            x += a + 1
        case "add_tensor" if tuple(map(int, y.shape)) == shape:
            x += y
        case "relu":
            f.relu(x, inplace=True)
        case "set" if rank > 1:
            x[a % shape[0], b % shape[1] :] = 7
        case "set_row" if rank and tuple(map(int, y.shape)) == shape[1:]:
            x[a % shape[0]] = y
        case "set_steps" if rank:
            x[..., a % 2 :: 2] *= 0.5
        case "mask":
            x[x > a - 6] = 0.25
        case "index" if rank and shape[0] > 1:
            x[[0, -1]] = 5
        case "copy" if tuple(map(int, y.shape)) == shape:
            x.copy_(y)
        case "fill" if rank:
            x[a % shape[0]].fill_(b)
        case "zero_column" if rank:
            x.narrow(rank - 1, b % shape[-1], 1).zero_()


class Both:
    def __getattr__(self, name: str) -> Any:
        return getattr(torch.nn.functional, name)


@settings(max_examples=250, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_a_random_program_is_torchs_or_refused(steps: list[Step]) -> None:
    given = [random_tensor(4, 6, seed=3), random_tensor(4, 6, seed=4), random_tensor(6, seed=5)]
    try:
        expected = [x.clone() for x in play(Both(), [x.clone() for x in given], steps)]
    except RuntimeError:
        COUNTS["refused by torch"] += 1
        return
    names = ("x", "y", "z")
    spec = {name: trtnet.Input(tuple(x.shape)) for name, x in zip(names, given, strict=True)}
    try:
        network = network_of(lambda *xs: tuple(play(ops, list(xs), steps)), spec)
    except LayerError as error:
        assert "test_in_place_at_random.py:" in str(error)
        COUNTS["refused"] += 1
        return
    found = network.reference()(**{name: x.numpy() for name, x in zip(names, given, strict=True)})
    assert len(found) == len(expected)
    for ours, theirs in zip(found.values(), expected, strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-5, atol=1e-5)
    COUNTS["equal"] += 1


def test_most_random_programs_are_not_refused() -> None:
    assert COUNTS["equal"] == 0 or COUNTS["refused"] <= COUNTS["equal"] // 10, COUNTS
