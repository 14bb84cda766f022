"""What modules get and give: on the CPU reference, and through an engine with further outputs, here on a fake GPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.comparing import random_weights
from helpers.runtime.fakes import Opener
from helpers.verify.planted import BUGS, RIGHT

import trtnet
from trtnet import nn, ops
from trtnet.definition import DefinedNetwork
from trtnet.runtime.loaded.loaded_engine import OpenEngine
from trtnet.support.errors import BuildError
from trtnet.verify.bisection import taps
from trtnet.verify.bisection.bisect import bisect
from trtnet.verify.bisection.taps import EngineTaps, ReferenceTaps, tapped


def on_fake_gpu(network: DefinedNetwork) -> EngineTaps:
    """The engine's outputs come from the reference of the network with the same tensors marked."""

    def opener(plan: Any, device: int) -> OpenEngine:
        tensors = tapped(network)
        for info in plan.info.outputs:
            network.trt.mark_output(tensors[info.name].trt)
        reference = network.reference()
        for info in plan.info.outputs[len(network.outputs) :]:
            network.trt.unmark_output(tensors[info.name].trt)
        return Opener(reference)(plan, device)

    return EngineTaps(network, opener)


class Model(nn.Module):
    """One convolution goes into its batch norm, one does not; the second norm is called twice."""

    inputs = {"x": trtnet.Input(("batch", 3, 8, 8))}

    def __init__(self) -> None:
        self.conv1, self.bn1 = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 4, 1)
        self.drop = nn.Dropout()
        self.pair = nn.Identity()

    def forward(self, x: Any) -> Any:
        y = ops.relu(self.bn1(self.conv1(x)))
        first, second = self.pair((y, {"b": self.conv2(self.drop(y))}))
        return first + second["b"]


X = np.random.default_rng(0).standard_normal((2, 3, 8, 8)).astype(np.float32)


def network(dtype: str = "float32") -> DefinedNetwork:
    return trtnet.define(Model(), weights=random_weights(Model()), dtype=dtype)


def test_calls_in_the_order_in_which_they_returned_with_what_they_got_and_gave() -> None:
    calls = network().calls
    assert [call.path for call in calls] == ["conv1", "bn1", "drop", "conv2", "pair", ""]
    assert [(len(call.inputs), len(call.outputs)) for call in calls] == [(1, 1)] * 4 + [(2, 2), (1, 1)]


@pytest.mark.parametrize("route", [ReferenceTaps, on_fake_gpu])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_values_of_every_module_but_of_what_went_into_another(route: Any, dtype: str) -> None:
    made = network(dtype)
    x = X.astype(dtype)
    values = route(made)({"x": x}).values
    by_path = {call.path: [values.get(t.name) for t in call.outputs] for call in made.calls}
    assert by_path["conv1"] == [None] and made.calls[0].outputs[0].merged_into == "bn1"
    relu, conv2 = by_path["pair"]
    np.testing.assert_array_equal(relu, np.maximum(by_path["bn1"][0], 0))
    np.testing.assert_array_equal(by_path["drop"][0], relu)
    np.testing.assert_array_equal(by_path["conv2"][0], conv2)
    np.testing.assert_array_equal(by_path[""][0], made.reference()(x))
    assert by_path[""][0].dtype == dtype


def test_the_engine_has_the_modules_tensors_as_outputs_and_the_network_is_as_before() -> None:
    made = network("float16")
    before = [made.trt.get_output(i).name for i in range(made.trt.num_outputs)]
    engine = EngineTaps(made).build({"batch": 2}, EngineTaps(made).tensors())
    assert [info.name for info in engine.outputs][:1] == ["output"]
    assert {info.dtype for info in engine.outputs} == {"float16"}
    assert {info.shape[1:] for info in engine.outputs} == {(4, 8, 8)}
    assert {info.name.partition("/")[0] for info in engine.outputs} == {"output", "conv1", "relu", "conv2"}
    assert [made.trt.get_output(i).name for i in range(made.trt.num_outputs)] == before


def test_where_tensorrt_builds_no_engine_of_all_tensors_several_have_a_part_each(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made, sizes = network("float16"), []
    build_plan = taps.build_plan

    def some(network: Any, dims: Any, config: Any, info: Any) -> Any:
        sizes.append(len(info.outputs))
        if len(info.outputs) > 2 or info.outputs[-1].name.startswith("conv2"):
            raise BuildError("too much for it")
        return build_plan(network, dims, config, info)

    x = X.astype(np.float16)
    whole = on_fake_gpu(made)({"x": x}).values
    monkeypatch.setattr(taps, "build_plan", some)
    parts = on_fake_gpu(made)({"x": x}).values
    assert sizes[0] > 2 and set(whole) - set(parts) == {"conv2/convolution"}
    assert "conv2/convolution" in caplog.text
    for name, value in parts.items():
        np.testing.assert_array_equal(value, whole[name])


def test_both_taps_lead_to_the_same_module() -> None:
    bug = BUGS["transposed_weight"]()
    found = bisect(bug.network("float16"), bug.original, bug.inputs, on=on_fake_gpu)
    assert [finding.row.path for finding in found.findings] == [bug.module]


def test_a_right_model_on_the_fake_gpu() -> None:
    right = RIGHT["lenet"]()
    assert bisect(right.network("float16"), right.original, right.inputs, on=on_fake_gpu).module is None


def test_the_first_layer_that_overflows_is_told_and_masks_are_not() -> None:
    class Overflow(nn.Module):
        inputs = {"x": trtnet.Input((2, 8))}

        def forward(self, x: Any) -> Any:
            masked = ops.softmax(ops.where(x > 0, x, float("-inf")), -1)
            return ops.exp(x * 20) * masked

    made = trtnet.define(Overflow(), weights={})
    x = np.array([[1, 2, 5, 0, 0, 0, 0, 0], [1, 2, 3, 0, 0, 0, 0, 0]], np.float32)
    told = ReferenceTaps(made)({"x": x}).overflow
    assert told is not None and (told.layer, told.count, told.size) == ("exp", 1, 16)
    assert told.source.startswith("tests/verify/test_taps.py:")
