"""No pass where something was not compared: by a tolerance that asks nothing, numbers lost in squares, arguments."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

import trtnet
from trtnet.support.call_interface import TensorInfo
from trtnet.support.errors import InputError, ModelError
from trtnet.verify import Tolerance
from trtnet.verify.arrays.inputs import random_inputs
from trtnet.verify.comparison.compare import compare
from trtnet.verify.comparison.junit import junit
from trtnet.verify.comparison.report import Comparison
from trtnet.verify.metrics.array_metrics import measure, relative_l2
from trtnet.verify.metrics.layouts import distance

X = {"x": np.ones((2, 3), np.float32)}


def of(found: Any, expected: Any, **more: Any) -> Comparison:
    """A comparison of what two functions return."""
    return compare({"ours": lambda x: found}, {"theirs": lambda x: expected}, X, **more)


@pytest.mark.parametrize("value", ["1e-3", True, [1], np.array([1, 2])])
def test_a_tolerance_that_is_no_number(value: Any) -> None:
    with pytest.raises(InputError, match="the tolerance atol is a finite number of at least 0; found"):
        Tolerance(atol=value)


@pytest.mark.parametrize("given", [1e-9, "1e-9", {"output": 1e-9}, {"output": None}, Tolerance])
def test_what_is_no_tolerance(given: Any) -> None:
    """It was passed over, and the table's taken."""
    with pytest.raises(InputError, match=r"is a trtnet.Tolerance, such as Tolerance\(relative_l2=1e-3\); found"):
        of(X["x"], X["x"], tolerance=given)


@pytest.mark.parametrize("found", [np.zeros(4, bool), np.zeros(4, np.int64)])
def test_bools_have_no_absolute_error(found: Any) -> None:
    report = of(found, np.array([True, True, False, True]), tolerance=Tolerance(atol=1))
    assert "3 elements differ" in report.outputs[0].failures
    assert of(np.arange(3), np.arange(3) + 1, tolerance=Tolerance(atol=1)).passed


@pytest.mark.parametrize(
    ("shape", "tolerance", "lacking"),
    [
        ((4,), Tolerance(sample=1e-3), "no samples beside each other along axis 0"),
        ((1, 4), Tolerance(sample=1e-3), "no samples beside each other along axis 0"),
        ((2, 4), Tolerance(channel=1e-3), "no channels of 32 values"),
        ((1, 1), Tolerance(channel=1e-3, sample=1e-3, margin=1), "no channels of 32 values and no rows of scores and"),
    ],
)
def test_a_tolerance_of_parts_that_an_array_does_not_have(shape: Any, tolerance: Tolerance, lacking: str) -> None:
    report = of(np.zeros(shape), np.arange(np.prod(shape)).reshape(shape) + 1.0, tolerance=tolerance)
    assert not report.passed and lacking in report.outputs[0].failures[0]
    assert of(np.ones((2, 40)), np.ones((2, 40)), tolerance=Tolerance(sample=1e-3)).passed
    assert of(np.ones((32, 2)), np.ones((32, 2)), tolerance=Tolerance(channel=1e-3)).passed


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_squares_that_no_float64_holds(scale: float) -> None:
    """Twice too large values had a relative L2 of 0."""
    expected = np.array([3.0, 4.0, -np.inf]) * scale
    for found, wanted in ((expected * 2, 1.0), (expected * (1 + 1e-3), 1e-3), (expected[[1, 0, 2]], 2**0.5 / 5)):
        measured = measure(found, expected)
        assert measured.relative_l2 == pytest.approx(wanted) == relative_l2(found, expected)
        assert not of(found, expected, tolerance=Tolerance(relative_l2=wanted * 0.9)).passed
        assert of(found, expected, tolerance=Tolerance(relative_l2=wanted * 1.1)).passed
    swapped = measure(expected[[1, 0, 2]], expected)
    assert swapped.cosine == pytest.approx(24 / 25) and swapped.psnr == pytest.approx(10 * np.log10(16 / (2 / 3)))
    assert measure(expected[:2], np.zeros(2)).relative_l2 == float("inf")
    assert distance(expected * 2, expected) == pytest.approx(1)


def small() -> trtnet.DefinedNetwork:
    return trtnet.define(torch.nn.Linear(3, 2).eval(), {"x": trtnet.Input((2, 3))})


@pytest.mark.parametrize("count", [0, -1, True, "2", 1.5])
@pytest.mark.parametrize("name", ["iterations", "steps"])
def test_a_number_of_calls(name: str, count: Any) -> None:
    """None at all gave a report without outputs, and JUnit's file of no failures."""
    with pytest.raises(InputError, match=rf"{name} is an integer of at least 1; found {count!r}"):
        compare(small(), **{name: count})


def test_iterations_of_given_inputs() -> None:
    with pytest.raises(InputError, match="iterations=5 are of random inputs; these were 1 call"):
        compare(small(), inputs=X["x"], iterations=5)
    assert len(compare(small(), inputs=[X, X], iterations=2).outputs[0].iterations) == 2


@pytest.mark.parametrize("on", [compare, trtnet.bisect])
def test_no_outputs_are_chosen(on: Any) -> None:
    with pytest.raises(InputError, match="outputs= names none"):
        on(small(), inputs=X["x"], outputs={})


@pytest.mark.parametrize(
    ("dtype", "limits", "says"),
    [
        ("float32", (0, float("inf")), "is empty or not finite"),
        ("float32", (float("nan"), 1), "is empty or not finite"),
        ("float32", (3,), r"a range is two numbers, \(0, 30000\), the end excluded; found \(3,\)"),
        ("float32", ("0", "1"), "a range is two numbers"),
        ("int32", (0.2, 0.7), r"the range \(0.2, 0.7\) has no integers"),
        ("int32", (0, float("inf")), "is empty or not finite"),
        ("int32", (0, 1 << 32), "has integers that int32 does not hold: -2147483648 to 2147483647"),
    ],
)
def test_ranges_without_values(dtype: str, limits: Any, says: str) -> None:
    class Same(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + 1

    network = trtnet.define(Same().eval(), {"x": trtnet.Input((2,), dtype)})
    with pytest.raises(InputError, match=says):
        compare(network, ranges={"x": limits})
    with pytest.raises(InputError, match="a seed is an integer of at least 0; found -1"):
        compare(network, seed=-1)


@pytest.mark.parametrize("on", [compare, trtnet.bisect])
def test_ranges_beside_inputs(on: Any) -> None:
    """They were passed over."""
    with pytest.raises(InputError, match="the inputs are given: leave out the range of x"):
        on(small(), torch.nn.Identity(), X, ranges={"x": (0, 2)})


@pytest.mark.parametrize(("dtype", "limits"), [("uint8", (-0.5, 256)), ("int4", (-8, 8)), ("int64", (0, 1 << 63))])
def test_ranges_of_all_integers_of_a_dtype(dtype: str, limits: Any) -> None:
    info = TensorInfo("x", (2,), dtype)
    (values,) = random_inputs([info], {}, {"x": limits}, np.int64(0), 1)  # type: ignore[arg-type]
    assert values["x"].dtype.name == dtype
    with pytest.raises(InputError, match=f"has integers that {dtype} does not hold"):
        next(random_inputs([info], {}, {"x": (limits[0], limits[1] + 4096)}, 0, 1))


@pytest.mark.parametrize("found", [4.0, np.float32(4)])
def test_numbers_beside_arrays(found: Any) -> None:
    """They were left out: 3.0 passed beside 4."""
    with pytest.raises(InputError, match="output n of theirs is no array, but a float; ours gives it too"):
        of({"y": X["x"], "n": found}, {"y": X["x"], "n": 3.0})
    with pytest.raises(InputError, match="output n of theirs is no array, but an int; ours gives it too"):
        of({"y": X["x"], "n": found}, {"y": X["x"], "n": 3})
    report = of({"y": X["x"], "n": found}, {"y": X["x"], "n": 3.0}, outputs={"y": "y"})
    assert report.passed and "theirs: results left out, no arrays: n (float)" in report.notes


@pytest.mark.parametrize("result", [{"a.b": 2, "a": {"b": 1}}, {1: 2, "1": 1}])
def test_results_of_one_name(result: Any) -> None:
    """The first of them was passed over, in a network that is defined too."""

    class Named(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> Any:
            return {k: {"b": x} if isinstance(v, dict) else x * v for k, v in result.items()}

    with pytest.raises(ModelError, match="two results"):
        compare(Named().eval(), Named().eval(), X)
    with pytest.raises(ModelError, match="two results"):
        trtnet.define(Named().eval(), {"x": trtnet.Input((2, 3))})


def test_outputs_that_some_iterations_lack() -> None:
    calls: list[int] = []

    def theirs(x: Any) -> Any:
        calls.append(1)
        return {"y": x} if len(calls) % 2 == 0 else {"y": x, "z": x}

    with pytest.raises(InputError, match="theirs has the outputs y in iteration 1, and y, z before"):
        compare({"ours": lambda x: {"y": x, "z": x}}, theirs, [X, X])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", [lambda x: x.to_sparse(), lambda x: torch.nested.nested_tensor([x[0], x[1]])])
def test_tensors_that_are_no_arrays(make: Any) -> None:
    """torch's errors ended the command as a crash."""

    class Made(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> Any:
            return make(x)

    for side in (Made(), lambda x: make(torch.from_numpy(x.copy()))):
        with pytest.raises(InputError, match="output output takes an array; found a tensor that is none"):
            compare({"ours": side}, lambda x: x, X)


def test_outputs_in_one_memory() -> None:
    """Both sides had what the last of them wrote, and passed."""
    memory = np.zeros((2, 3), np.float32)

    def scaled(factor: float) -> Any:
        return lambda x: np.multiply(x, factor, out=memory)

    class Shared(torch.nn.Module):
        def __init__(self, factor: float) -> None:
            super().__init__()
            self.factor = factor

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.mul(x, self.factor, out=torch.from_numpy(memory))

    for sides in ((scaled(1), scaled(2)), (Shared(1), Shared(2)), (Shared(2), scaled(1))):
        assert not compare({"ours": sides[0]}, {"theirs": sides[1]}, X).passed


def test_outputs_that_are_kept_stay_as_they_are() -> None:
    memory = np.zeros((2, 3), np.float32)

    def ours(x: Any) -> Any:
        return np.copyto(memory, x) or memory

    report = compare({"ours": ours}, lambda x: x, [X, {"x": X["x"] * 2}], keep=True)
    assert [call["output"].max() for call in report.kept_outputs["ours"]] == [1, 2]


class Numbered(torch.nn.Module):
    """What it returns beside an array is a number."""

    def __init__(self, number: Any) -> None:
        super().__init__()
        self.number = number

    def forward(self, x: torch.Tensor) -> Any:
        return {"y": x * 2, "n": self.number if self.number is not None else x.sum()}


def test_bisect_and_numbers_beside_arrays() -> None:
    network = trtnet.define(Numbered(None).eval(), {"x": trtnet.Input((2, 3))})
    with pytest.raises(InputError, match="output n of the original is no array, but a float; the network gives it too"):
        trtnet.bisect(network, Numbered(3.0).eval(), X)
    assert trtnet.bisect(network, Numbered(3.0).eval(), X, outputs={"y": "y"}).passed


def test_bisect_draws_inputs_as_compare_does() -> None:
    class Sized(torch.nn.Module):
        def __init__(self, more: float) -> None:
            super().__init__()
            self.more = more

        def forward(self, x: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
            return x * self.more + ids

    inputs = {"x": trtnet.Input(("n", 3)), "ids": trtnet.Input(("n", 1), "int64")}
    network = trtnet.define(Sized(2).eval(), inputs)
    chosen: Any = {"dims": {"n": 4}, "ranges": {"ids": (5, 9)}, "seed": 3}
    assert trtnet.bisect(network, **chosen).passed
    compared, found = (on(network, Sized(3).eval(), **chosen) for on in (compare, trtnet.bisect))
    assert compared.outputs[0].worst == found.outputs[0].worst and not found.passed
    with pytest.raises(InputError, match="give the size of n"):
        trtnet.bisect(network, ranges={"ids": (5, 9)})
    with pytest.raises(InputError, match=r"input ids .* has integers: give their range"):
        trtnet.bisect(network, dims={"n": 4})
    with pytest.raises(InputError, match="in place of inputs, which are missing: give both"):
        trtnet.bisect(network, original_inputs={"x": np.ones((4, 3)), "ids": np.ones((4, 1))}, **chosen)


def test_junit_names_each_pair_of_outputs() -> None:
    """Servers take two cases of one name for one."""
    report = of({"y": X["x"]}, {"a": X["x"], "b": X["x"] * 2}, outputs={"a": "y", "b": "y"})
    cases = ElementTree.fromstring(junit(report)).iter("testcase")
    assert {case.attrib["name"]: len(case.findall("failure")) for case in cases} == {"y (a)": 0, "y (b)": 1}
