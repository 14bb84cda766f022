"""What the relative L2 of a whole output hides: one wrong element, one wrong sample, constants, casts that stray."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from helpers.comparing import network_of

import trtnet
from trtnet import nn
from trtnet.support.errors import InputError
from trtnet.verify import TOLERANCES, Tolerance, compare
from trtnet.verify.bisection.bisect import bisect
from trtnet.verify.metrics import worst_parts as module
from trtnet.verify.metrics.worst_parts import LEAST, parts

X = np.zeros(1, np.float32)
SHAPE = (64, 3000)
DTYPES = ["float32", "float16", "bfloat16"]


def expected(*shape: int) -> Any:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def judged(found: Any, wanted: Any, dtype: str) -> Any:
    """A function's output against another's, by the table's tolerance of a dtype."""
    return compare(lambda x: found, lambda x: wanted, X, tolerance=TOLERANCES[dtype])


@pytest.mark.parametrize("chunk", [7, 1 << 15])
@pytest.mark.parametrize("shape", [(3, 5, 40), (3, 1), (40,), (1, 40)], ids=str)
def test_parts_are_their_formulas(chunk: int, shape: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", chunk)
    b = expected(*shape).astype(np.float64)
    a = b + 1e-3 * np.random.default_rng(1).standard_normal(shape)
    size = np.sqrt((b * b).mean())
    row = np.sqrt((b * b).mean(-1, keepdims=True)) if len(shape) > 1 else size
    relative = np.abs(a - b) / np.maximum(np.abs(b), np.maximum(row, size))
    found = parts(a, b)
    assert found.element == pytest.approx(relative.max())
    assert found.index == np.unravel_index(relative.argmax(), shape)
    if len(shape) == 1 or shape[0] == 1:
        assert found.sample is None
        return
    n = b[0].size
    least = size * max(LEAST, 1 / n) * n**0.5
    lengths = [np.linalg.norm(x - y) / max(np.linalg.norm(y), least) for x, y in zip(a, b, strict=True)]
    assert found.sample == pytest.approx(max(lengths)) and found.number == int(np.argmax(lengths))


def test_parts_of_infinities_and_nothing() -> None:
    b = np.array([[1.0, -np.inf], [2.0, np.inf]])
    assert parts(b, b).element == 0 and parts(b, b).sample == 0
    assert parts(-b, b).element == np.inf
    assert parts(np.zeros((0, 3)), np.zeros((0, 3))).element == 0
    assert parts(np.full(3, 1e-9), np.zeros(3)).element == np.inf


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_wrong_element_of_thousands_fails(dtype: str) -> None:
    wanted = expected(*SHAPE)
    found = wanted + (TOLERANCES[dtype].relative_l2 or 0) * 0.5 * np.random.default_rng(1).standard_normal(SHAPE)
    found = found.astype(np.float32)
    assert judged(found, wanted, dtype).passed
    found[17, 5] += 1.0
    report = judged(found, wanted, dtype)
    assert not report.passed and (dtype == "float32" or "FAIL element [17, 5] is off by" in str(report))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [1.0, 0.02])
def test_one_wrong_row_of_thousands_fails(dtype: str, size: float) -> None:
    wanted = expected(5000, 32)
    wanted[1234] *= size
    found = wanted.copy()
    found[1234] = found[1234, ::-1]
    report = judged(found, wanted, dtype)
    assert not report.passed
    if size < 1 and dtype != "float32":
        assert "FAIL entry 1234 of axis 0 by itself: relative L2 " in str(report)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_batch_of_which_only_the_first_is_right_fails(dtype: str) -> None:
    wanted = expected(4, 1000)
    wanted[0] *= 500  # of the whole nearly everything
    found = wanted.copy()
    found[1:] = found[1]
    assert "of axis 0 by itself" in str(judged(found, wanted, dtype)) or dtype == "float32"
    assert not judged(found, wanted, dtype).passed


def test_a_tolerance_that_was_asked_for_asks_nothing_else() -> None:
    wanted = expected(*SHAPE)
    found = wanted.copy()
    found[17, 5] += 1.0
    assert compare(lambda x: found, lambda x: wanted, X, tolerance=Tolerance(relative_l2=1e-2)).passed
    both = Tolerance(relative_l2=1e-2, element=0.1)
    assert not compare(lambda x: found, lambda x: wanted, X, tolerance=both).passed


@pytest.mark.parametrize("value", [0.0, 3.0, -np.inf])
def test_a_constant_proves_little(value: float) -> None:
    constant = np.full((2, 4), value, np.float32)
    report = compare(lambda x: constant, lambda x: constant, X)
    if np.isinf(value):
        assert not report.passed and "nothing is compared: every value expected is infinite" in str(report)
        return
    assert report.passed and "WEAK every value expected is the same" in str(report) and "PASS, weak" in str(report)
    assert report.to_json()["outputs"][0]["weak"]
    wrong = compare(lambda x: constant + np.eye(2, 4, dtype=np.float32) * 1e-3, lambda x: constant, X)
    assert not wrong.passed and "WEAK" not in str(wrong)
    single = compare(lambda x: x + 1, lambda x: x + 1, X)
    assert single.passed and "WEAK" not in str(single)
    varied = [{"x": X}, {"x": X + 1}]
    assert "WEAK" not in str(
        compare(lambda x: x * constant[0] + [0, 0, 0, x[0]], lambda x: x * constant[0] + [0, 0, 0, x[0]], varied)
    )


def test_bisect_says_that_constants_prove_little() -> None:
    class Dead(nn.Module):
        inputs = {"x": trtnet.Input((2, 4))}

        def __init__(self) -> None:
            self.fc = nn.Linear(4, 3)

        def forward(self, x: Any) -> Any:
            return (self.fc(x) - 100).clamp(min=0)

    class TorchDead(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = torch.nn.Linear(4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (self.fc(x) - 100).clamp(min=0)

    original = TorchDead()
    found = bisect(trtnet.define(Dead(), weights=original), original, expected(2, 4))
    assert found.passed and "the model's output output: every value expected is the same" in str(found)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nothing_finite_on_both_sides_is_no_pass(value: float) -> None:
    nothing = np.full((2, 4), value, np.float32)
    assert not compare(lambda x: nothing, lambda x: nothing, X).passed
    for tolerance in (Tolerance(relative_l2=1.0), Tolerance(cosine=-1), Tolerance(atol=1), Tolerance(margin=0)):
        assert not compare(lambda x: nothing, lambda x: nothing, X, tolerance=tolerance).passed
    masked = np.where(np.eye(4, dtype=bool), np.float32(1), np.float32(-np.inf))
    assert compare(lambda x: masked, lambda x: masked, X).passed


def test_a_cast_that_strayed_loosens_nothing() -> None:
    inputs = {"x": trtnet.Input((8, 64))}
    x = {"x": expected(8, 64)}

    def strays(x: Any) -> Any:
        return x.to("float16").to("float32") * 2 + 1

    report = compare(network_of(strays, inputs), lambda x: x * 2 + 1, x)
    assert report.outputs[0].tolerance == TOLERANCES["float32"] and not report.passed
    assert "something in it is float16, and it is held to float32, as defined" in str(report)
    half = compare(network_of(lambda x: x.float().softmax(1).half() * 2, inputs, "float16"), soft, x)
    assert half.passed and half.outputs[0].tolerance == TOLERANCES["float16"] and "held to" not in str(half)
    assert compare(network_of(lambda x: x * 2 + 1, inputs), lambda x: x * 2 + 1, x).passed


def soft(x: Any) -> Any:
    return 2 * torch.softmax(torch.from_numpy(x.copy()), 1).numpy()


def test_bisect_holds_a_float32_model_to_float32() -> None:
    class Strays(nn.Module):
        inputs = {"x": trtnet.Input((8, 64))}

        def __init__(self) -> None:
            self.fc = nn.Linear(64, 16)

        def forward(self, x: Any) -> Any:
            return self.fc(x).half().float()

    original = torch.nn.Sequential()
    original.fc = torch.nn.Linear(64, 16)
    found = bisect(trtnet.define(Strays(), weights=original), original, expected(8, 64))
    assert not found.passed and "relative L2" in str(found)


def test_a_margin_without_rows_is_an_error() -> None:
    long = np.zeros(1 << 21, np.float32)
    for array in (np.float32(3), np.zeros((5, 1), np.float32), long):
        with pytest.raises(InputError, match=r"^output output \[.*\]: only a margin is given, but it has no rows"):
            compare(lambda x, array=array: array + 1, lambda x, array=array: array, X, tolerance=Tolerance(margin=0.1))
        both = Tolerance(margin=0.1, relative_l2=0)
        assert compare(lambda x, array=array: array, lambda x, array=array: array, X, tolerance=both).passed
    ids = np.arange(4)
    with pytest.raises(InputError, match="only a margin is given"):
        compare(lambda x: ids, lambda x: ids, X, tolerance={"output": Tolerance(margin=1)})
    scores = expected(4, 10)
    undecided = compare(lambda x: -scores, lambda x: scores, X, tolerance=Tolerance(margin=100))
    assert not undecided.passed and "nothing is compared: none of the 4 rows has a margin of 100" in str(undecided)
    assert compare(lambda x: scores, lambda x: scores, X, tolerance=Tolerance(margin=1e-6)).passed


@pytest.mark.parametrize("axis", [1, 2])
@pytest.mark.parametrize("dtype", DTYPES)
def test_wrong_scores_beside_boxes_in_pixels_fail(dtype: str, axis: int) -> None:
    boxes, scores = 300 * expected(2, 2000, 4), 1 / (1 + np.exp(-expected(2, 2000, 6)))
    wanted = np.concatenate([boxes, scores], 2)
    found = wanted.copy()
    found[..., 7] = found[::-1, ::-1, 7]
    found, wanted = (x.swapaxes(2, axis) for x in (found, wanted))
    report = judged(found, wanted, dtype)
    assert not report.passed and judged(wanted, wanted, dtype).passed
    if dtype == "float16":
        assert f"FAIL entry 7 of axis {axis} by itself: relative L2 " in str(report)


def test_few_values_of_a_channel_say_nothing() -> None:
    wanted = expected(8, 1000)
    wanted[:, 7] *= 1e-3
    found = wanted + np.float32(5e-3) * np.random.default_rng(1).standard_normal(wanted.shape).astype(np.float32)
    assert judged(found, wanted, "float16").passed
    assert not judged(found.repeat(100, 0), wanted.repeat(100, 0), "float16").passed


@pytest.mark.parametrize("fill", [-1e9, -65504.0, 1e4])
@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_beside_a_mask_is_compared_by_itself(dtype: str, fill: float) -> None:
    wanted = expected(64, 500)
    wanted[np.random.default_rng(1).random(wanted.shape) < 0.5] = fill
    found = np.where(wanted == np.float32(fill), wanted, 2 * wanted)
    report = judged(found, wanted, dtype)
    assert not report.passed and judged(wanted, wanted, dtype).passed
    if dtype == "float16":
        assert f"beside the places filled with {fill:.5g}: relative L2 1 > 0.04" in str(report)
    elsewhere = wanted.copy()
    elsewhere[wanted.argmin() // 500, wanted.argmin() % 500] *= 2
    assert parts(elsewhere, wanted).beside is None or fill > 0
