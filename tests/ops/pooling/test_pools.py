"""Pools: places of the largest, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from helpers.comparing import Function, network_of, random_tensor

import trtnet
from trtnet import nn, ops
from trtnet.graph.layers.read import read
from trtnet.ops.formulations import FORMS
from trtnet.support.errors import LayerError


def test_places_of_equal_ones_and_of_nan_are_torchs() -> None:
    x = torch.tensor([[[1.0, 1.0, 2.0, 2.0, float("nan"), 3.0, float("-inf"), float("-inf")]]])
    network = network_of(lambda x: ops.max_pool1d(x, 2, return_indices=True), {"x": trtnet.Input((1, 1, 8))})
    values, places = network.reference()(x)
    wanted, at = F.max_pool1d(x, 2, return_indices=True)
    torch.testing.assert_close(values, wanted, equal_nan=True)
    assert places.dtype == torch.int64 and torch.equal(places, at)


def test_the_layer_gives_places_too_and_builds() -> None:
    x = random_tensor(2, 3, 7, 8)
    network = trtnet.define(
        nn.MaxPool2d(3, 2, padding=1, return_indices=True, ceil_mode=True), {"x": trtnet.Input(("n", 3, "h", 8))}, {}
    )
    found = network.reference()(x)
    wanted = torch.nn.MaxPool2d(3, 2, padding=1, return_indices=True, ceil_mode=True)(x)
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b)
    network.build({"n": (1, 2, 3), "h": (5, 7, 9)})


@pytest.mark.parametrize("form", FORMS["pooling"])
def test_nan_and_infinities_are_torchs_in_every_form(form: str) -> None:
    x = random_tensor(2, 3, 7, 6)
    x[0, 0, 0, 0] = x[0, 1, 6, 5] = x[1, 0, 3, 2] = float("nan")
    x[1, 1, :4, :4], x[1, 2, 0, 0] = float("-inf"), float("inf")
    pools = [(ops.max_pool2d, F.max_pool2d, (3, 2, 1)), (ops.max_pool2d, F.max_pool2d, (2, 2, 0, 1, True))]
    for ours, theirs, arguments in [*pools, (ops.avg_pool2d, F.avg_pool2d, (3, 1, 1))]:
        model, inputs = Function(partial(call, ours, arguments)), {"x": trtnet.Input((2, 3, 7, 6))}
        network = trtnet.define(model, inputs, {}, forms={"pooling": form})
        torch.testing.assert_close(network.reference()(x), theirs(x, *arguments), equal_nan=True)


def test_pools_of_pools_are_not_both_taken_apart() -> None:
    """They would be one kernel, which computes the windows below for each element of those above."""
    x, inputs = random_tensor(1, 3, 9, 8), {"x": trtnet.Input((1, 3, 9, 8))}
    model = torch.nn.Sequential(torch.nn.MaxPool2d(3, 2, 1), torch.nn.MaxPool2d(3, 1, 1), torch.nn.AvgPool2d(2))
    network = trtnet.define(model.eval(), inputs, forms={"pooling": "separable"})
    assert [chosen["pooling"] for chosen in network.forms.chosen.values()] == ["separable", "layer", "separable"]
    torch.testing.assert_close(network.reference()(x), model(x))


def call(function: Callable[..., Any], arguments: tuple[Any, ...], x: Any) -> Any:
    return function(x, *arguments)


@pytest.mark.parametrize("dtype", ["int64", "int32"])
def test_the_largest_integers(dtype: str) -> None:
    x = random_tensor(1, 2, 6, 6, dtype=dtype)
    found = network_of(lambda x: ops.max_pool2d(x, 3, 2, 1), {"x": trtnet.Input((1, 2, 6, 6), dtype)}).reference()(x)
    assert torch.equal(found, F.max_pool2d(x, 3, 2, 1))


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda x: ops.max_pool2d(x, 2, 1, 2), "more than half of the window"),
        (lambda x: ops.avg_pool2d(x, (x.shape[3], 2)), "must be the input's size, without padding"),
        (lambda x: ops.avg_pool2d(x, 2, divisor_override=0), "divisor_override is not 0"),
        (lambda x: ops.avg_pool2d(x[..., 0, 0].reshape(1, 1, 1, 3), 2), r"window of \(2, 2\) is larger than the input"),
        (
            lambda x: ops.max_pool2d(x[..., 0, 0].reshape(1, 1, 1, 3), (1, 2), dilation=3),
            r"window of \(1, 2\) is larger than the input",
        ),
        (lambda x: ops.max_pool1d(x, 2), "takes an input of 3 dimensions, found 4"),
        (lambda x: ops.avg_pool2d(x, (2, 2, 2)), "pooling of 2 axes got a window of"),
        (lambda x: ops.adaptive_avg_pool2d(x, (0, 2)), "a size is an int, 1 or more"),
        (lambda x: ops.adaptive_avg_pool2d(x, (1, 2, 3)), "adaptive pooling of 2 axes"),
    ],
)
def test_refused(function: Callable[..., Any], text: str) -> None:
    with pytest.raises(LayerError, match=text):
        network_of(function, {"x": trtnet.Input((1, 3, "h", "w"))})


@pytest.mark.parametrize(
    "function",
    [
        lambda f, x: f.max_pool2d(x, 2),
        lambda f, x: f.avg_pool2d(x, 3, 2, 1, True),
        lambda f, x: f.adaptive_avg_pool2d(x, (2, 3)),
        lambda f, x: f.interpolate(x, size=(3, 3), mode="bilinear"),
        lambda f, x: f.scaled_dot_product_attention(x, x, x),
        lambda f, x: f.conv2d(x, x.sum(0)[None].reshape(1, 2, 4, 5)),
    ],
)
def test_an_empty_batch_has_an_empty_result(function: Callable[..., Any]) -> None:
    x = random_tensor(2, 2, 4, 5)
    found = network_of(lambda x: function(ops, x[:0]), {"x": trtnet.Input((2, 2, 4, 5))}).reference()(x)
    assert found.shape == function(F, x[:0]).shape


@pytest.mark.parametrize("include", [True, False])
@pytest.mark.parametrize(("kernel", "stride", "padding"), [(2, 2, 0), (3, 2, 1), (3, 3, 1), (2, 3, 1), (3, 1, 1)])
def test_the_last_window_of_a_mean_is_divided_by_what_it_covers(
    kernel: int, stride: int, padding: int, include: bool
) -> None:
    """TensorRT's layer divides by the whole window: no layer may round up a mean of windows that reach beyond."""
    for sizes in ((5, 6), (7, 8), (6, 9)):
        x = torch.randn(2, 3, *sizes)
        expected = F.avg_pool2d(x, kernel, stride, padding, True, include)
        for spec in ((2, 3, *sizes), ("n", 3, "h", "w")):
            network = network_of(
                lambda x: ops.avg_pool2d(x, kernel, stride, padding, True, include), {"x": trtnet.Input(spec)}
            )
            torch.testing.assert_close(network.reference()(x), expected)
            pools = [node.layer for node in read(network.trt) if node.kind == "POOLING"]
            assert [str(pool.padding_mode.name) for pool in pools] == ["EXPLICIT_ROUND_DOWN"]
