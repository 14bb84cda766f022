"""Sequences: every thing is fed its own state, and the report says how the error grows."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.cli.command import trtnet as command
from helpers.runtime.fakes import Opener
from helpers.verify.recurrent import Cell, Positional, TorchCell
from safetensors.torch import save_file

import trtnet
from trtnet.runtime import Engine
from trtnet.support.errors import InputError
from trtnet.verify import Tolerance, compare
from trtnet.verify.comparison.page import page as report_page
from trtnet.verify.comparison.plots import steps_svg

CARRY = {"h_next": "h"}


ORIGINAL = TorchCell()
NETWORK = trtnet.define(Cell(), weights=ORIGINAL)
FIRST = {"x": np.ones((2, 3), np.float32), "h": np.zeros((2, 4), np.float32)}


def by_hand(steps: int) -> torch.Tensor:
    h = torch.zeros(2, 4)
    with torch.inference_mode():
        for _ in range(steps):
            result = ORIGINAL(torch.ones(2, 3), h)
            h = result["h_next"]
    return result["y"]


def test_a_state_is_carried_on_both_sides() -> None:
    report = compare(NETWORK, ORIGINAL, FIRST, carry=CARRY, steps=30, keep=True)
    assert report.passed and all(len(output.iterations) == 30 for output in report.outputs)
    ((ours, theirs),) = [list(report.kept_outputs.values())]
    assert np.array_equal(theirs[-1]["y"], by_hand(30).numpy()) and not np.array_equal(theirs[0]["y"], theirs[-1]["y"])
    assert np.allclose(ours[-1]["y"], theirs[-1]["y"], atol=1e-5)
    text = str(report)
    assert "30 steps of a sequence" in text and "in the first (0)" in text and "in the last (29)" in text


def test_a_drift_is_seen_in_the_last_step_and_not_in_the_first() -> None:
    tolerance = Tolerance(relative_l2=1e-4)
    wrong = TorchCell(leak=1e-4)
    assert compare(NETWORK, wrong, FIRST, tolerance={"y": tolerance}, outputs={"y": "y"}).passed
    report = compare(NETWORK, wrong, FIRST, carry=CARRY, steps=50, tolerance=tolerance, outputs={"y": "y"})
    (output,) = report.outputs
    drift = output.drift()
    assert not report.passed and drift["first"] < 1e-5 < 1e-4 < drift["last"] and drift["worst_step"] > 0
    assert "FAIL step " in str(report) and report.to_json()["outputs"][0]["drift"] == drift
    json.dumps(report.to_json(), allow_nan=False)


def test_outputs_may_have_other_names_and_steps_inputs_of_their_own() -> None:
    rng = np.random.default_rng(0)
    sets = [{"x": rng.standard_normal((2, 3)).astype(np.float32)} for _ in range(7)]
    sets[0] |= {"h": FIRST["h"]}
    report = compare(NETWORK, Positional(), sets, carry=CARRY)
    assert report.passed and len(report.outputs[0].iterations) == 7
    assert compare(NETWORK, Positional(), sets, carry={"output1": "h"}, steps=7).passed
    assert compare(NETWORK, ORIGINAL, carry=CARRY, steps=3, seed=1).passed

    def function(x: Any, h: Any) -> Any:
        with torch.inference_mode():
            found = ORIGINAL(torch.from_numpy(x.copy()), torch.from_numpy(h.copy()))
        return {name: value.double().numpy() for name, value in found.items()}

    cast = compare(ORIGINAL, {"function": function}, FIRST, carry=CARRY, steps=5, tolerance=Tolerance(atol=1e-6))
    assert any("input h cast from float64 to float32" in note for note in cast.notes)


def test_a_state_is_cast_to_what_the_input_declares() -> None:
    half = trtnet.define(Cell(), weights=ORIGINAL, dtype="float16")
    report = compare(half, ORIGINAL, FIRST, carry=CARRY, steps=20)
    assert report.passed, str(report)


class Stateful(Cell):
    """The state is declared, and comes back by the same name."""

    inputs = {"x": trtnet.Input(("streams", 3)), "h": trtnet.State(("streams", 4), "float32")}

    def forward(self, x: Any, h: Any) -> Any:
        found = super().forward(x, h)
        return {"y": found["y"], "h": found["h_next"]}


def test_declared_states_are_carried_from_zeros_and_every_stream_takes_part() -> None:
    made = trtnet.define(Stateful(), weights=ORIGINAL)
    live = trtnet.define(Positional().eval(), {"x": trtnet.Input(("streams", 3)), "h": trtnet.State(("streams", 4))})
    given = {"x": FIRST["x"]}
    for network in (made, live):
        report = compare(network, Positional(), given, steps=30, keep=True)
        assert report.passed and all(len(output.iterations) == 30 for output in report.outputs)
        (*_, theirs) = report.kept_outputs.values()
        assert np.array_equal(theirs[-1]["output0"], by_hand(30).numpy())
        assert set(report.kept_inputs[0]) == {"x", "h", "active"} and report.kept_inputs[0]["active"].all()
        assert not report.kept_inputs[0]["h"].any()
    assert compare(live, steps=4, dims={"streams": 3}, seed=2).passed
    assert compare(made, Positional(), dims={"streams": 3}).passed, "one call, with a random state"
    started = compare(made, Positional(), {**given, "h": np.ones((2, 4), np.float32)}, steps=2, keep=True)
    assert started.passed and started.kept_inputs[0]["h"].all()
    with Engine(made.build({"streams": 2}).plan, Opener(made.reference())) as engine:
        assert compare(engine, Positional(), given, steps=3).passed
        assert compare(engine.session(), Positional(), given, steps=3).passed
        assert compare({"streams": engine.session(streams=2)}, {"original": made}, given, outputs={"y": "y"}).passed


def test_the_report_says_how_the_error_grows_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    report = compare(trtnet.define(Stateful(), weights=ORIGINAL), TorchCell(leak=1e-4), FIRST, steps=40)
    lines = str(report).splitlines()
    at = next(index for index, line in enumerate(lines) if line.split()[:1] == ["step"])
    steps = [int(word) for word in lines[at].split()[1:]]
    errors = [float(word) for word in lines[at + 1].split()[2:]]
    assert steps[0] == 0 and steps[-1] == 39 and len(steps) == len(errors) >= 5
    by_step = [metrics.relative_l2 for metrics in report.outputs[0].iterations]
    assert np.allclose(errors, [by_step[step] for step in steps], rtol=0.06)
    assert "error by step" in steps_svg(report.outputs[0].iterations)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)  # the other plots take long
    assert "<th>step</th>" in report_page(report)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"carry": {"h_new": "h"}}, "carry names the output h_new; those of .* are y, h_next"),
        ({"carry": {"h_next": "state"}}, "carry names the input state, which is not given; given are x, h"),
        ({"steps": 5}, "steps are those of a sequence, and no side declares states .*carry="),
        ({"carry": CARRY, "iterations": 5}, "give steps instead of iterations"),
        ({"carry": CARRY, "steps": 0}, "steps is an integer of at least 1; found 0"),
        ({"carry": {"h_next": "h", "y": "h"}}, "carry feeds one input from two outputs"),
        ({"carry": {"y": "h"}, "steps": 2}, r"input h \[2, 4\] float32: found \[2, 2\] float32"),
    ],
)
def test_what_is_no_sequence(arguments: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        compare(NETWORK, ORIGINAL, FIRST, **arguments)


def test_steps_and_sets_must_agree_and_hold_what_is_not_carried() -> None:
    with pytest.raises(InputError, match="3 steps, and the inputs of 2: give those of one, or of every step"):
        compare(NETWORK, ORIGINAL, [FIRST, FIRST], carry=CARRY, steps=3)
    with pytest.raises(InputError, match="input x is missing in a later step"):
        compare(NETWORK, ORIGINAL, [FIRST, {"h": FIRST["h"]}], carry=CARRY)


FILE = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
from helpers.verify.recurrent import Cell as ours, TorchCell as original

def leaking():
    return original(1e-3)
"""


def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(FILE)
    save_file(ORIGINAL.state_dict(), tmp_path / "w.safetensors")
    options = "--weights", "w.safetensors", "--carry", "h_next=h", "--steps", "20", "--json", "r.json"
    right = command("compare", "m.py:ours", "torch:m.py:original", *options, folder=tmp_path)
    assert right.returncode == 0, right.stdout + right.stderr
    assert "20 steps of a sequence" in right.stdout
    wrong = command("compare", "m.py:ours", "torch:m.py:leaking", *options, folder=tmp_path)
    assert wrong.returncode == 1 and "FAIL step " in wrong.stdout, wrong.stdout + wrong.stderr
    (output, *_) = json.loads((tmp_path / "r.json").read_text())["outputs"]
    assert output["drift"]["first"] < output["drift"]["last"]
    bad = command(
        "compare", "m.py:ours", "torch:m.py:original", "--weights", "w.safetensors", "--carry", "h", folder=tmp_path
    )
    assert bad.returncode == 2 and "--carry" in bad.stderr


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_an_engine_is_fed_its_own_state_by_name_and_into_given_arrays(dtype: str) -> None:
    network = trtnet.define(Cell(), weights=ORIGINAL, dtype=dtype)
    x, h = FIRST["x"], FIRST["h"]
    with Engine(network.build().plan, Opener(network.reference())) as engine:
        assert [info.dtype for info in engine.inputs] == [dtype, "float32"]
        x = x.astype(dtype)
        for _ in range(10):
            outputs = engine(x=x, h=h)
            h = outputs["h_next"]
            assert h.dtype == np.float32
        session, state, other = engine.session(), FIRST["h"].copy(), np.empty((2, 4), np.float32)
        y = np.empty((2, 2), outputs["y"].dtype)
        for _ in range(10):
            session(x=x, h=state, out={"y": y, "h_next": other})
            state, other = other, state
    assert np.array_equal(state, h) and np.array_equal(y, outputs["y"])
    assert np.allclose(y, by_hand(10).numpy(), atol=1e-5 if dtype == "float32" else 1e-2)


def test_a_mask_of_the_streams_that_is_given() -> None:
    """It was replaced by one in which all take part."""
    weights = {name: value * 2 for name, value in ORIGINAL.state_dict().items()}
    made, other = (trtnet.define(Stateful(), weights=each) for each in (ORIGINAL, weights))
    given = {**FIRST, "h": np.ones((2, 4), np.float32), "active": np.array([False, False])}
    report = compare(made, {"other": made}, given, keep=True)
    assert not report.kept_inputs[0]["active"].any()
    assert compare(made, {"other": other}, given, outputs={"output.h": "output.h"}).passed, "no state changes"
    given["active"] = np.array([True, False])
    assert not compare(made, {"other": other}, given, outputs={"output.h": "output.h"}).passed
    for run in (compare, trtnet.bisect):
        with pytest.raises(InputError, match="active leaves out streams, which a side without states cannot"):
            run(made, Positional(), given)


def test_two_outputs_that_can_be_one_state() -> None:
    def theirs(x: Any, h: Any) -> Any:
        return {"y": x, "h": h, "h_next": h}

    with pytest.raises(InputError, match="the outputs h and h_next can both be the state"):
        compare(trtnet.define(Stateful(), weights=ORIGINAL), theirs, FIRST)
