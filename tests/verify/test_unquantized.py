"""Quantized networks beside themselves without quantization: in comparisons, bisections and what is defined again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from helpers.comparing import relative_l2

import trtnet
from trtnet.definition.again import unquantized
from trtnet.verify.arrays.feeding import Arrays

RNG = np.random.default_rng(0)
X = RNG.standard_normal((4, 8)).astype(np.float32)


def modules() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 8)).eval()


def defined(module: torch.nn.Module, quantization: Any, dtype: str = "float32") -> trtnet.DefinedNetwork:
    return trtnet.define(module, {"x": trtnet.Input(("n", 8))}, quantization=quantization, dtype=dtype)


INT4 = {"weights": "int4", "block": 8}


def test_a_network_without_its_quantization_is_the_one_of_floats() -> None:
    module = modules()
    quantized = defined(module, {"*": INT4}, "float16")
    floats = unquantized(quantized)
    assert floats is not None and not floats.quantized.described
    x = X.astype(np.float16)
    np.testing.assert_array_equal(floats.reference()(x), defined(module, None, "float16").reference()(x))
    assert relative_l2(quantized.reference()(x), floats.reference()(x)) > 1e-2
    assert unquantized(floats) is None


def test_a_comparison_tells_the_error_of_quantization_from_others() -> None:
    module = modules()
    quantized = defined(module, {"*": INT4})
    report = trtnet.compare(quantized, module, X)
    (output,) = report.outputs
    assert report.passed and max(output.in_floats) < 1e-5 < 1e-2 < output.worst.relative_l2
    assert "rel. L2 in floats" in str(report) and report.to_json()["outputs"][0]["in_floats"] == output.in_floats[0]
    other = modules()
    with torch.no_grad():
        other[2].weight[0] += 1
    (wrong,) = trtnet.compare(quantized, other, X).outputs
    assert not wrong.passed and max(wrong.in_floats) > 1e-2
    plain = trtnet.compare(quantized, module, X, in_floats=False)
    assert plain.outputs[0].in_floats == () and "in floats" not in str(plain)
    assert "in floats" not in str(trtnet.compare(defined(module, None), module, X))


def test_floats_are_a_column_beside_networks_that_have_none() -> None:
    module = modules()
    report = trtnet.compare({"int4": defined(module, {"*": INT4}), "plain": defined(module, None)}, module, X)
    quantized, plain = report.outputs
    assert quantized.in_floats and not plain.in_floats and "rel. L2 in floats" in str(report)


class Cell(trtnet.nn.Module):
    """A state that each step adds to."""

    def __init__(self) -> None:
        self.layer = trtnet.nn.Linear(8, 8, bias=False)

    def forward(self, x: trtnet.Tensor, h: trtnet.Tensor) -> trtnet.Tensor:
        return self.layer(x) + h


def test_each_carries_its_own_state() -> None:
    weight = {"layer.weight": RNG.standard_normal((8, 8)).astype(np.float32)}
    inputs = {"x": trtnet.Input((4, 8)), "h": trtnet.Input((4, 8))}
    quantized = trtnet.define(Cell(), inputs, weight, quantization={"*": INT4})

    def exact(x: Any, h: Any) -> Any:
        return x @ weight["layer.weight"].T + h

    given: Arrays = {"x": X, "h": np.zeros((4, 8), np.float32)}
    (output,) = trtnet.compare(quantized, exact, given, carry={"output": "h"}, steps=3).outputs
    assert len(output.in_floats) == 3 and max(output.in_floats) < 1e-5 < output.worst.relative_l2


class Stepped(trtnet.nn.Module):
    """A state, declared as one. returned: the names of the result and of the next state, "" for none."""

    def __init__(self, returned: tuple[str, str], **state: Any) -> None:
        self.returned, self.layer = returned, trtnet.nn.Linear(8, 8, bias=False)
        self.inputs = {"x": trtnet.Input(("n", 8)), "h": trtnet.State(("n", 8), **state)}

    def forward(self, x: trtnet.Tensor, h: trtnet.Tensor) -> Any:
        h = self.layer(x) + h
        result = (h * 2, h)
        return dict(zip(self.returned, result, strict=True)) if all(self.returned) else result


@pytest.mark.parametrize(
    ("returned", "state"),
    [(("", ""), {}), (("y", "h"), {}), (("y", "h_next"), {}), (("y", "z"), {"output": "z"})],
)
def test_states_that_are_declared_are_states_again(returned: tuple[str, str], state: dict[str, Any]) -> None:
    weight = {"layer.weight": RNG.standard_normal((8, 8)).astype(np.float32)}
    quantized = trtnet.define(Stepped(returned, **state), weights=weight, quantization={"*": INT4})
    floats = unquantized(quantized)
    assert floats is not None and floats.states == quantized.states and list(floats.inputs) == list(quantized.inputs)
    given: Arrays = {"x": X, "h": np.zeros((4, 8), np.float32)}

    def exact(x: Any, h: Any) -> Any:
        h = x @ weight["layer.weight"].T + h
        return h * 2, h

    report = trtnet.compare(quantized, exact, given, carry={quantized.states[0].output: "h"}, steps=3)
    assert all(len(each.in_floats) == 3 and max(each.in_floats) < 1e-5 for each in report.outputs)


@pytest.mark.parametrize("in_floats", [True, False])
def test_a_bisection_tells_each_modules_error_without_quantization(in_floats: bool) -> None:
    module = modules()
    found = trtnet.bisect(defined(module, {"*": INT4}), module, X, in_floats=in_floats)
    by_path = {row.path: row for row in found.rows}
    assert found.passed and "" in by_path and (by_path["2"].outputs or 0) > 1e-2
    for row in by_path.values():
        assert (row.in_floats is None) != in_floats and (row.in_floats or 0) < 1e-5
    assert ("out in floats" in str(found)) == in_floats
