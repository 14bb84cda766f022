"""States as a model declares them: which result is the next value, what it must be, what a sidecar says of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import trtnet
from trtnet.builder.plan import Plan
from trtnet.support.call_interface import StateInfo
from trtnet.support.errors import ModelError

X = trtnet.Input(("n", 2))


def network(result: Any, **states: Any) -> Any:
    """A model of x and its states, which returns what `result` makes of them."""

    class Model(trtnet.nn.Module):
        inputs = {"x": X, **states}

        def forward(self, x: Any, *given: Any) -> Any:
            return result(x, *given)

    return trtnet.define(Model())


def state(*shape: Any, **options: Any) -> Any:
    return trtnet.State(shape or ("n", 2), **options)


@pytest.mark.parametrize(
    ("result", "states", "outputs"),
    [
        (lambda x, h: {"y": x, "h": h + x}, {"h": state()}, ["output.h"]),
        (lambda x, h: {"h_next": h + x, "y": x}, {"h": state()}, ["h_next"]),
        (lambda x, h: {"y": x, "new": h + x}, {"h": state(output="new")}, ["new"]),
        (lambda x, h: (x, h + x), {"h": state()}, ["output1"]),
        (lambda x, h, c: (x, h + x, c * x), {"h": state(), "c": state()}, ["output1", "output2"]),
        (lambda x, h, c: {"c": c, "y": x, "h": h}, {"h": state(), "c": state()}, ["output.h", "output.c"]),
        (lambda x, h: (h + x, x), {"h": state(output="output0")}, ["output0"]),
    ],
)
def test_the_next_value_of_a_state_is_found_by_name_or_is_the_last(result: Any, states: Any, outputs: Any) -> None:
    made = network(result, **states)
    assert made.states == tuple(StateInfo(name, o) for name, o in zip(states, outputs, strict=True))
    assert made.describe().states == made.reference().states == made.states
    assert list(made.inputs) == ["x", *states, "active"]


class Torch(torch.nn.Module):
    """By name, nested, and in a tuple."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, x: torch.Tensor, h: torch.Tensor, c: torch.Tensor) -> Any:
        y, new = x + h, (h + 1, c * 2)
        return {"tuple": (y, *new), "nested": (y, new), "named": {"h": new[0], "y": y, "c": new[1]}}[self.kind]


@pytest.mark.parametrize(
    ("kind", "outputs"),
    [
        ("tuple", ("output1", "output2")),
        ("nested", ("output1.0", "output1.1")),
        ("named", ("output.h", "output.c")),
    ],
)
def test_live_torch_modules(kind: str, outputs: Any) -> None:
    made = trtnet.define(Torch(kind).eval(), {"x": X, "h": state(), "c": state()})
    assert tuple(each.output for each in made.states) == outputs
    streams = trtnet.Streams(made.reference(), 3)
    x = np.zeros((3, 2), np.float32)
    assert [streams(x)[0, 0] for _ in range(3)] == [0, 1, 2]


def test_a_state_is_cast_to_its_dtype_and_held() -> None:
    def half(x: Any, h: Any) -> Any:
        return {"y": x, "h": h + x}

    class Model(trtnet.nn.Module):
        inputs = {"x": X, "h": trtnet.State(("n", 2), "float32")}
        forward = staticmethod(half)

    made = trtnet.define(Model(), dtype="float16")
    assert made.outputs["output.h"].dtype.name == "float32" == made.inputs["h"].dtype.name
    x, h = np.ones((2, 2), np.float16), np.full((2, 2), 1 / 3, np.float32)
    found = made.reference()(x=x, h=h, active=np.array([False, True]))["output.h"]
    assert np.array_equal(found[0], h[0]) and np.allclose(found[1], 4 / 3, atol=1e-3)


def test_a_single_stream_needs_no_mask() -> None:
    made = network(lambda x, h: {"y": x + h, "h": h + 1}, h=state(1, 2))
    assert list(made.inputs) == ["x", "h"] and not made.states[0].held
    streams = trtnet.Streams(made.reference())
    assert streams.count == 1
    assert [streams(np.zeros((1, 2), np.float32))[0, 0] for _ in range(3)] == [0, 1, 2]


def test_a_network_made_for_so_many_streams_has_them() -> None:
    made = network(lambda x, h: {"y": h, "h": h + 1}, h=state(2, 4, axis=1))
    streams = trtnet.Streams(made.reference())
    assert streams.count == 4
    with pytest.raises(trtnet.InputError, match=r"state h \[2, 4\] float32 is that of 4 streams; asked for 3"):
        trtnet.Streams(made.reference(), 3)


@pytest.mark.parametrize(
    ("declare", "says"),
    [
        (lambda: state("n", 2, axis=2), "axis=2 of the streams is not an axis of"),
        (lambda: state(axis=-1), "axis=-1 of the streams is not an axis"),
        (lambda: state("n", "length"), "'length' in .* a state keeps its size .* axis=1, or give the size"),
        (lambda: state(-1, 2), "found -1"),
        (lambda: state(2, dtype="int32", values=("a", "b")), "a state has no values="),
    ],
)
def test_what_is_no_state(declare: Any, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        declare()


@pytest.mark.parametrize(
    ("result", "states", "says"),
    [
        (lambda x, h: {"y": x, "z": h}, {"h": state()}, "state h: Model returns y, z, and none is h .* output='z'"),
        (lambda x, h: {"y": x, "z": h}, {"h": state(output="w")}, "none is w; say which"),
        (lambda x, h: h + x, {"h": state()}, "every result of Model is a state"),
        (lambda x, h, c: x, {"h": state(), "c": state()}, "2 states and 1 result"),
        (lambda x, h: (x, h[:, :1]), {"h": state()}, r"state h \[n, 2\]: .* output1, is \[n, 1\]"),
        (lambda x, h: (x, h > 0), {"h": state()}, "state h is float32; its next value, output output1, is bool"),
        (lambda x, h: (x, h), {"h": state(), "active": X}, "an input 'active', which is the name of the mask"),
        (lambda x, h: (x, h), {"h": state("m", 2)}, r"state h .*no input has an axis m: found x \('n', 2\)"),
        (lambda x, h: (x, h), {"h": state("n", 2), "x": trtnet.Input((4, 2))}, r"no input has an axis n: found x"),
        (lambda x, h: (x, h), {"h": state(3, 2), "x": trtnet.Input((4, 2))}, r"axis 0 .*no input has an axis 3"),
        (lambda x, h, c: (x, h, c), {"h": state(), "c": state("m", 2)}, "different numbers of streams: h n, c m"),
        (
            lambda x, h, c: {"y": x, "z": h},
            {"h": state(output="z"), "c": state(output="z")},
            "output z of Model is the next value of two states",
        ),
    ],
)
def test_what_a_model_must_return(result: Any, states: Any, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        network(result, **states)


def test_an_input_and_an_output_of_one_name_say_how_to_declare_a_state() -> None:
    with pytest.raises(ModelError, match=r"declared: inputs = \{'h': trtnet.State\(shape\)\}"):
        network(lambda x, h: {"y": x, "h": h}, h=X)


def test_the_sidecar_says_which_they_are_and_old_ones_say_none(tmp_path: Path) -> None:
    made = network(lambda x, h: {"y": x, "h": h + x}, h=state())
    made.build({"n": 2}).save(tmp_path / "x.engine")
    assert trtnet.load(tmp_path / "x.engine").states == made.states
    sidecar = tmp_path / "x.engine.json"
    document = json.loads(sidecar.read_text())
    del document["states"]
    sidecar.write_text(json.dumps(document))
    assert Plan.load(tmp_path / "x.engine").info.states == ()
