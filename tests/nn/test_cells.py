"""One step of a recurrence beside torch's."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers.comparing import relative_l2

import trtnet
from trtnet import nn
from trtnet.support.call_interface import NamedOutputs

CELLS: list[tuple[str, dict[str, Any]]] = [
    ("RNNCell", {}),
    ("RNNCell", {"nonlinearity": "relu", "bias": False}),
    ("GRUCell", {}),
    ("GRUCell", {"bias": False}),
    ("LSTMCell", {}),
    ("LSTMCell", {"bias": False}),
]


class Stepped(nn.Module):
    """A cell, its states given one by one."""

    def __init__(self, cell: nn.Module) -> None:
        self.cell = cell

    def forward(self, x: Any, *states: Any) -> Any:
        return self.cell(x, tuple(states) if len(states) > 1 else states[0] if states else None)


@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize(("kind", "options"), CELLS, ids=str)
def test_a_cell_equals_torchs(kind: str, options: dict[str, Any], given: bool, batched: bool) -> None:
    torch.manual_seed(0)
    theirs = getattr(torch.nn, kind)(4, 5, **options).eval()
    states = [torch.randn(3, 5) for _ in range(2 if kind == "LSTMCell" else 1)] if given else []
    lead = ("n",) if batched else ()
    specs = {"x": trtnet.Input((*lead, 4))} | {f"s{i}": trtnet.Input((*lead, 5)) for i in range(len(states))}
    weights = {f"cell.{key}": value for key, value in theirs.state_dict().items()}
    network = trtnet.define(Stepped(getattr(nn, kind)(4, 5, **options)), specs, weights)
    x, *states = (value if batched else value[0] for value in (torch.randn(3, 4), *states))
    found = network.reference()(x, *states)
    with torch.inference_mode():
        wanted = theirs(x, tuple(states) if len(states) > 1 else states[0] if states else None)
    if isinstance(wanted, tuple):
        assert all(relative_l2(found[f"output{i}"], state) <= 2e-6 for i, state in enumerate(wanted))
    else:
        assert relative_l2(found, wanted) <= 2e-6
    network.build({"n": (1, 3, 4)} if batched else None)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("kind", ["LSTMCell", "GRUCell", "RNNCell"])
def test_16_bit_floats(kind: str, dtype: str) -> None:
    torch.manual_seed(0)
    theirs = getattr(torch.nn, kind)(4, 5).eval()
    weights = {f"cell.{key}": value for key, value in theirs.state_dict().items()}
    network = trtnet.define(Stepped(getattr(nn, kind)(4, 5)), {"x": trtnet.Input(("n", 4))}, weights, dtype=dtype)
    x = torch.randn(3, 4)
    found = network.reference()(x.to(getattr(torch, dtype)))
    first = found["output0"] if isinstance(found, NamedOutputs) else found
    with torch.inference_mode():
        wanted = theirs(x)
    assert relative_l2(first, wanted[0] if isinstance(wanted, tuple) else wanted) <= {"float16": 4e-3}.get(dtype, 3e-2)
    network.build({"n": (1, 3, 4)})
