"""Distances between arrays, against numpy's plain formulas."""

from __future__ import annotations

import tracemalloc
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st

from trtnet.support import dtypes
from trtnet.support.errors import InputError
from trtnet.verify.metrics import array_metrics as module
from trtnet.verify.metrics.array_metrics import measure, relative_l2
from trtnet.verify.metrics.ranking import rank
from trtnet.verify.metrics.tolerances import EXACT, TOLERANCES, Tolerance, smallest_passing, tolerance_for

INF, NAN = float("inf"), float("nan")


def pair(*shape: int, noise: float = 1e-3, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    expected = rng.standard_normal(shape)
    return expected + noise * rng.standard_normal(shape), expected


@pytest.mark.parametrize("chunk", [7, 1 << 15])
def test_every_number_is_its_formula(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", chunk)
    a, b = pair(3, 5, 40)
    errors, m = np.abs(a - b), measure(a, b, atol=1e-3, rtol=1e-2)
    assert m.max_abs == errors.max()
    assert m.mean_abs == pytest.approx(errors.mean())
    assert m.max_rel == (errors / np.abs(b)).max()
    assert m.relative_l2 == pytest.approx(np.linalg.norm(a - b) / np.linalg.norm(b))
    assert m.cosine == pytest.approx((a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b))
    assert m.psnr == pytest.approx(10 * np.log10(np.abs(b).max() ** 2 / (errors**2).mean()))
    outside = (errors > 1e-3) & (errors / np.abs(b) > 1e-2)
    assert m.outside == outside.sum() > 0
    assert m.rtol_needed == (errors / np.abs(b))[errors > 1e-3].max()
    assert m.atol_needed == errors[errors / np.abs(b) > 1e-2].max()
    for fraction, found in ((0.5, m.p50), (0.9, m.p90), (0.95, m.p95), (0.99, m.p99)):
        assert found == pytest.approx(np.quantile(errors, fraction, method="inverted_cdf"), rel=0.8e-2)
    index = np.unravel_index(errors.argmax(), errors.shape)
    assert m.worst is not None and m.worst.index == index
    assert (m.worst.found, m.worst.expected) == (a[index], b[index])


def test_relative_l2_alone_is_that_of_all_metrics() -> None:
    a, b = pair(3, 7000)
    assert relative_l2(a, b) == measure(a, b).relative_l2 > 0
    assert relative_l2(a.astype(np.float16), b) == measure(a.astype(np.float16), b).relative_l2
    assert relative_l2(b * 0, b * 0) == 0 and relative_l2(b, b * 0) == INF and relative_l2(a[:2], b) == INF
    assert relative_l2(np.full(3, NAN), np.ones(3)) == INF
    assert relative_l2(np.array([2.0, INF]), np.array([1.0, INF])) == 1, "the same infinity is expected"
    assert (
        relative_l2(np.array([2**62 + 1]), np.array([2**62]))
        == measure(np.array([2**62 + 1]), np.array([2**62])).relative_l2
        > 0
    )


def test_needed_tolerances_are_the_smallest() -> None:
    a, b = pair(1000)
    m = measure(a, b, atol=1e-3, rtol=1e-2)
    assert measure(a, b, atol=1e-3, rtol=m.rtol_needed).outside == 0
    assert measure(a, b, atol=1e-3, rtol=np.nextafter(m.rtol_needed, 0)).outside == 1
    assert measure(a, b, atol=m.atol_needed, rtol=1e-2).outside == 0
    assert measure(a, b, atol=np.nextafter(m.atol_needed, 0), rtol=1e-2).outside == 1
    assert f"{m.max_abs:.3g}" in smallest_passing(m)
    (failure,) = Tolerance(atol=1e-3, rtol=1e-2).failures(m)
    assert failure.startswith(f"{m.outside} elements outside atol=0.001, rtol=0.01; it passes with that atol and rtol=")


def test_equal_arrays() -> None:
    _, b = pair(4, 5)
    m = measure(b, b)
    assert (m.different, m.max_abs, m.max_rel, m.relative_l2, m.worst) == (0, 0, 0, 0, None)
    assert m.cosine == pytest.approx(1) and m.psnr == INF
    zeros = measure(np.zeros(3), np.zeros(3))
    assert (zeros.relative_l2, zeros.cosine) == (0, 1)
    assert measure(np.zeros((0, 3)), np.zeros((0, 3))).max_abs == 0


def test_an_error_where_zero_was_expected_has_no_relative_size() -> None:
    m = measure(np.array([1e-9, 1.0]), np.array([0.0, 1.0]))
    assert m.max_rel == INF and m.max_abs == 1e-9
    assert measure(np.ones(2), np.zeros(2)).relative_l2 == INF


@pytest.mark.parametrize("dtype", [d.name for d in dtypes.TABLE if d.is_floating])
def test_floating_dtypes(dtype: str) -> None:
    a = np.array([1.0, 2.0, 4.0, 1.0]).astype(dtypes.get(dtype).numpy)
    b = np.array([1.0, 2.0, 2.0, 1.0])
    m = measure(a, b)
    assert (m.dtype, m.max_abs, m.max_rel, m.different) == (dtype, 2, 1, 1)
    assert m.worst is not None and m.worst.index == (2,)


@pytest.mark.parametrize("dtype", [d.name for d in dtypes.TABLE if not d.is_floating])
def test_integers_and_bools_are_exact(dtype: str) -> None:
    numpy = dtypes.get(dtype).numpy
    a, b = np.array([0, 1, 1]).astype(numpy), np.array([0, 1, 0]).astype(numpy)
    assert measure(a, b).different == 1
    assert tolerance_for(dtype) == EXACT
    assert EXACT.failures(measure(a, b)) == ("1 element differs",)
    assert not EXACT.failures(measure(a, a))


def test_integers_differ_beyond_float64() -> None:
    m = measure(np.array([2**53 + 1, 5]), np.array([2**53, 5]))
    assert (m.different, m.max_abs, type(m.max_abs)) == (1, 1, int) and m.outside == 1
    assert str(m.worst) == "[0]: 9007199254740993, expected 9007199254740992"
    assert smallest_passing(m).startswith("passes with atol=1 or")
    ends = measure(np.array([0, -(2**63)]), np.array([2**63 - 2, 2**63 - 1]))
    assert ends.max_abs == 2**64 - 1 and ends.worst is not None and ends.worst.index == (1,)
    large = measure(np.array([123456]), np.array([0]))
    assert "atol=123456 or" in smallest_passing(large)
    assert isinstance(measure(np.zeros(2), np.zeros(2)).max_abs, float)


@pytest.mark.parametrize(
    "wrong",
    [{name: value} for name in ("relative_l2", "cosine", "atol", "rtol", "margin") for value in (NAN, INF, -1.5)]
    + [{"cosine": 2.0}],
)
def test_what_is_no_tolerance_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=f"the tolerance {next(iter(wrong))} is .*; found"):
        Tolerance(**wrong)
    Tolerance(relative_l2=0, cosine=-1, atol=0, rtol=0, margin=0)


def test_nan_is_no_bound() -> None:
    a, b = np.array([[0.0, 1.0, 2.0]]), np.array([[2.0, 1.0, 0.0]])
    for wrong in ({"atol": NAN}, {"rtol": NAN}):
        assert measure(a, b, **wrong).outside
    ranking = rank(a, b, margin=NAN)
    assert ranking is not None and (ranking.decided, ranking.token) == (1, 0)


@pytest.mark.parametrize(
    ("found", "expected", "passes"),
    [
        (NAN, 1.0, False),
        (NAN, NAN, False),
        (1.0, NAN, False),
        (INF, 1.0, False),
        (1.0, -INF, False),
        (INF, -INF, False),
        (-INF, -INF, True),
        (INF, INF, True),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16])
def test_values_that_are_not_finite(found: float, expected: float, passes: bool, dtype: Any) -> None:
    a, b = pair(2, 4, noise=0)
    a[1, 2], b[1, 2] = found, expected
    a, b = a.astype(dtype), b.astype(dtype)
    m = measure(a, b)
    for tolerance in (
        Tolerance(relative_l2=1),
        Tolerance(atol=1e9),
        Tolerance(cosine=-1),
        Tolerance(margin=1e9),
        EXACT,
    ):
        assert (not tolerance.failures(m)) == passes
    assert m.max_abs == (0 if passes else INF)
    assert m.relative_l2 == (0 if passes else INF)
    assert (m.cosine == pytest.approx(1)) if passes else not m.cosine >= 0.9999
    assert m.nonfinite.nan + m.nonfinite.inf == (not np.isfinite(found))
    assert m.expected_nonfinite.nan + m.expected_nonfinite.inf == (not np.isfinite(expected))
    if not passes:
        assert m.worst is not None and m.worst.index == (1, 2)
        assert smallest_passing(m) == "no tolerance would pass it"


def test_another_shape_is_a_failure_that_names_both() -> None:
    m = measure(np.zeros((2, 3)), np.zeros((3, 2)))
    assert not m.same_shape and m.relative_l2 == INF
    for tolerance in (EXACT, Tolerance(atol=1e9), Tolerance(relative_l2=1e9)):
        assert tolerance.failures(m) == ("shape [2, 3], expected [3, 2]",)


def test_tokens_count_where_the_margin_is_wide() -> None:
    expected = np.array([[0.0, 5.0, 1.0], [1.0, 1.01, 0.0], [3.0, 0.0, 0.0]])
    found = np.array([[0.0, 5.0, 1.0], [1.02, 1.01, 0.0], [3.0, 0.0, 0.0]])
    m = measure(found, expected, margin=0.1)
    assert m.ranking is not None
    assert (m.ranking.rows, m.ranking.argmax, m.ranking.decided, m.ranking.token) == (3, 2 / 3, 2, 1)
    assert not Tolerance(margin=0.1).failures(m)
    strict = measure(found, expected, margin=0.001)
    assert strict.ranking is not None and strict.ranking.token == 2 / 3
    (failure,) = Tolerance(margin=0.001).failures(strict)
    assert failure == "another largest value in 1 of the 3 rows with a margin of 0.001"


def test_the_five_largest_in_any_order() -> None:
    expected = np.arange(10.0)[None]
    assert rank(expected, expected).top == 1  # type: ignore[union-attr]
    found = expected.copy()
    found[0, [8, 9]] = 9, 8
    ranking = rank(found, expected)
    assert ranking is not None and ranking.argmax == 0 and ranking.top == 1
    found[0, 0] = 100
    assert rank(found, expected).top == pytest.approx(0.8)  # type: ignore[union-attr]


def test_masked_scores_have_a_margin_and_a_nan_agrees_in_nothing() -> None:
    masked = np.array([[1.0, -INF, -INF], [-INF, -INF, -INF]])
    ranking = rank(masked, masked, margin=0.5)
    assert ranking is not None and (ranking.argmax, ranking.decided, ranking.token) == (1, 1, 1)
    found = np.array([[1.0, NAN, 0.0]])
    ranking = rank(found, np.array([[1.0, 0.0, 0.0]]))
    assert ranking is not None and (ranking.argmax, ranking.top, ranking.token) == (0, 0, 0)


def test_arrays_without_rows_have_no_ranking() -> None:
    for shape in ((), (3, 1), (0, 4), (2, (1 << 20) + 1)):
        assert rank(np.zeros(shape, np.int8), np.zeros(shape, np.int8)) is None


@given(st.lists(st.floats(width=32), min_size=1, max_size=20), st.lists(st.floats(width=32), min_size=1, max_size=20))
@example([0, 50, 0, 0, INF], [0.5, 50, 0, 0, INF])
@settings(max_examples=200, deadline=None)
def test_nothing_passes_that_is_not_close(xs: list[float], ys: list[float]) -> None:
    n = min(len(xs), len(ys))
    a, b = np.array(xs[:n], np.float32), np.array(ys[:n], np.float32)
    m = measure(a, b)
    same = bool(np.all((a == b) & ~np.isnan(a)))
    assert (m.max_abs == 0) == same == (not EXACT.failures(m))
    compared = ~(np.isinf(b) & (a == b))  # the same infinity in the same place is no error
    p, q = a[compared].astype(float), b[compared].astype(float)
    with np.errstate(all="ignore"):
        plain = np.linalg.norm(p - q) / np.linalg.norm(q)
    passes = not Tolerance(relative_l2=1e-2).failures(m)
    if np.all(np.isfinite(p)) and np.all(np.isfinite(q)) and not same:
        assert passes == bool(plain <= 1e-2)
    elif not same:
        assert not passes


def test_the_coarsest_dtype_decides() -> None:
    assert tolerance_for("float32") == TOLERANCES["float32"]
    assert tolerance_for("float32", ["float16"]) == TOLERANCES["float16"]
    assert tolerance_for("float16", ["bfloat16", "int64"]) == TOLERANCES["bfloat16"]
    assert tolerance_for("int64", ["float16"]) == EXACT
    assert tolerance_for("float32", on_a_gpu=True).relative_l2 == 1e-4
    assert tolerance_for("float16", on_a_gpu=True) == TOLERANCES["float16"]


def test_large_arrays_take_little_memory() -> None:
    a = np.zeros(1 << 24, np.float16)
    tracemalloc.start()
    measure(a, a)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < a.nbytes / 2
