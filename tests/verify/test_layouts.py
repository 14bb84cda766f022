"""The same values in another order are recognised by rules; different values are not made equal."""

from __future__ import annotations

import numpy as np
import pytest

from trtnet.verify.bisection.pairs import Value, arguments as pair
from trtnet.verify.metrics.layouts import align, distance

X = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32)


@pytest.mark.parametrize(
    ("found", "rule"),
    [
        (X, ""),
        (X.transpose(0, 2, 3, 1), "axes [0, 2, 3, 1] of [2, 3, 4, 5]"),
        (X.reshape(2, 3, 20), "reshaped of [2, 3, 4, 5]"),
        (X.reshape(2, 3, 20).transpose(0, 2, 1), "axes [0, 2, 3, 1] of [2, 3, 4, 5]"),
        (X.transpose(0, 2, 1, 3).reshape(2, 4, 15), "axes [0, 2, 1, 3] of [2, 3, 4, 5]"),
        (X.reshape(6, 20), "reshaped of [2, 3, 4, 5]"),
        (X[None], "reshaped of [2, 3, 4, 5]"),
        (np.broadcast_to(X, (7, 2, 3, 4, 5)), "broadcast of [2, 3, 4, 5]"),
    ],
    ids=["same", "NHWC", "tokens", "tokens last", "heads joined", "flat", "more axes", "broadcast"],
)
def test_rules(found: np.ndarray, rule: str) -> None:
    aligned = align(found, X)
    assert aligned is not None and aligned.rule == rule
    assert distance(found, aligned.values) == 0


def test_heads_apart_from_heads_joined() -> None:
    joined = X.transpose(0, 2, 1, 3).reshape(2, 4, 15)
    aligned = align(X, joined)
    assert aligned is not None and distance(X, aligned.values) == 0


def test_a_repeated_mask_of_numbers_is_one_of_bools() -> None:
    mask = np.array([[True, True, False]])[:, None, None, :]
    additive = np.broadcast_to(np.where(mask, 0, np.finfo(np.float32).min), (1, 1, 3, 3)).astype(np.float32)
    aligned = align(mask, additive)
    assert aligned is not None and np.array_equal(aligned.values, mask)
    assert aligned.rule == "additive mask; once of [1, 1, 3, 3]"
    inverted = align(~mask, additive)
    assert inverted is not None and np.array_equal(inverted.values, mask)


def test_values_of_the_same_shape_are_never_turned() -> None:
    square = X[0, 0, :, :4]
    aligned = align(square, square.T)
    assert aligned is not None and aligned.rule == "" and distance(square, aligned.values) > 0.5


@pytest.mark.parametrize("other", [X[:, :2], X.astype(np.int64), X[..., :1]], ids=["size", "kind", "varying"])
def test_not_comparable(other: np.ndarray) -> None:
    assert align(X, other) is None or other.shape == (2, 3, 4, 1)
    assert align(other, X) is None


def test_values_that_are_not_finite_are_never_close() -> None:
    masked = np.array([1.0, -np.inf], np.float32)
    assert distance(masked, masked) == 0
    assert distance(np.array([np.nan]), np.array([np.nan])) == np.inf
    assert distance(masked, np.array([1.0, 2.0])) == np.inf
    assert distance(np.zeros(3), np.zeros(3)) == 0 and distance(np.ones(3), np.zeros(3)) == np.inf


def test_swapped_arguments_stay_swapped_and_names_come_first() -> None:
    q, k = X[0, 0], X[0, 1]
    swapped = pair([Value("x", k), Value("y", q)], [Value("a", q), Value("b", k)])
    assert [p.error > 0.1 for p in swapped.pairs] == [True, True]
    named = pair([Value("b", k), Value("a", q), Value("mask", q > 0)], [Value("a", q), Value("b", k)])
    assert [(p.name, p.error) for p in named.pairs] == [("b", 0.0), ("a", 0.0)] and named.alone == ("mask",)
