"""Sequences that are bisected: the step that differs, with the original's state, and what grows from step to step."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from helpers.verify.recurrent import Positional

import trtnet
from trtnet.support.errors import InputError
from trtnet.verify.bisection.page import page

INPUTS = {"x": trtnet.Input(("streams", 3)), "h": trtnet.State(("streams", 4), "float32")}
X = {"x": np.ones((2, 3), np.float32)}


class Late(Positional):
    """Its head doubles what it gives once the state is far enough."""

    def __init__(self, limit: float) -> None:
        super().__init__()
        self.limit = limit

    def forward(self, x: torch.Tensor, h: torch.Tensor) -> Any:
        y, new = super().forward(x, h)
        return torch.where(h.abs().max() > self.limit, y * 2, y), new


NETWORK = trtnet.define(Positional().eval(), INPUTS)


def test_a_sequence_that_agrees() -> None:
    found = trtnet.bisect(NETWORK, None, X, steps=20)
    assert found.passed and len(found.outputs[0].iterations) == 20
    assert "of 20 (from 0), the one with the largest error; all pass" in found.notes[0]


def test_the_first_step_that_differs_is_bisected_on_the_originals_state() -> None:
    original = Late(limit=0.3).eval()
    reached, h = [], torch.zeros(2, 4)
    with torch.inference_mode():
        for _ in range(20):
            reached.append(bool(h.abs().max() > 0.3))
            h = original(torch.ones(2, 3), h)[1]
    first = reached.index(True)
    assert 0 < first < 19
    found = trtnet.bisect(NETWORK, original, X, steps=20)
    assert not found.passed and found.module == ""
    assert (
        f"step {first} of 20 (from 0), the first whose outputs fail; both sides got the original's state" in found.notes
    )
    assert trtnet.bisect(NETWORK, original, X).passed, "its first step agrees"


class Counting(torch.nn.Module):
    """leak: what the state gains in each step, less than a step's tolerance."""

    def __init__(self, leak: float = 0.0) -> None:
        super().__init__()
        self.leak = leak

    def forward(self, x: torch.Tensor, h: torch.Tensor) -> Any:
        return x + h, h + self.leak


def test_small_errors_that_add_up_are_no_modules_fault() -> None:
    made = trtnet.define(Counting().eval(), {"x": trtnet.Input((2, 3)), "h": trtnet.State((2, 3))})
    given = {**X, "h": np.ones((2, 3), np.float32)}
    found = trtnet.bisect(made, Counting(3e-6).eval(), given, steps=60)
    assert found.module is None and not found.passed
    assert any("everything agrees: small errors add up in the state" in note for note in found.notes)
    assert "<h1>trtnet bisect: the outputs differ, and no module by itself</h1>" in page(found)
    text = str(found)
    assert re.search(r"note: step [34] of 60", text) and re.search(r"output output0: and 4\d more", text), text


def test_what_is_no_sequence_to_bisect() -> None:
    plain = trtnet.define(Positional().eval(), {"x": trtnet.Input((2, 3)), "h": trtnet.Input((2, 4))})
    given = {**X, "h": np.zeros((2, 4), np.float32)}
    with pytest.raises(InputError, match="no side declares states"):
        trtnet.bisect(plain, None, given, steps=3)
    assert trtnet.bisect(plain, None, given, steps=3, carry={"output1": "h"}).passed
    with pytest.raises(InputError, match="original_inputs are those of one call"):
        trtnet.bisect(NETWORK, None, X, steps=3, original_inputs=given)
    with pytest.raises(InputError, match="give the size of streams"):
        trtnet.bisect(NETWORK, None, None, steps=3)
