"""Checks of values that only raise are left out of a network, with a warning; other branches on values are errors."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
import torch
from helpers.definition.asserting import of_asserts, of_lengths
from torch import nn

import trtnet

Function = Callable[[torch.Tensor], torch.Tensor]


class Calling(nn.Module):
    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


def of_raises(x: torch.Tensor) -> torch.Tensor:
    if torch.isinf(x).any():
        raise ValueError("infinite")
    if not (x == x).all():
        message = f"not a number in {x.shape}"
        raise ValueError(message)
    if (x.shape[1] == 4 and (x > 9).any()) or (x < -9).any():
        raise ValueError
    return x * 2


def of_the_other_way(x: torch.Tensor) -> torch.Tensor:
    if (x < 9).all():
        return x * 2
    raise ValueError


@pytest.mark.parametrize("function", [of_asserts, of_raises, of_lengths, of_the_other_way])
@pytest.mark.parametrize("batch", [2, "batch"])
def test_checks_are_left_out(function: Function, batch: int | str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "trtnet"):
        network = trtnet.define(Calling(function).eval(), {"x": trtnet.Input((batch, 4))})
    warnings = [
        each.getMessage() for each in caplog.records if "a check of values that only raises" in each.getMessage()
    ]
    assert warnings and all("\n  in tests/" in each for each in warnings)
    x = torch.randn(2, 4)
    assert (network.reference()(x.numpy()) == function(x).numpy()).all()


def caught(x: torch.Tensor) -> torch.Tensor:
    try:
        if x.sum() > 0:
            raise KeyError
    except KeyError:
        return -x
    return x


def branches(x: torch.Tensor) -> torch.Tensor:
    y = x
    if x.sum() > 0:
        y = -x
    return y


def either(x: torch.Tensor) -> torch.Tensor:
    assert (x > 0).any() or (x < 1).any()
    return x


def repeats(x: torch.Tensor) -> torch.Tensor:
    while x.sum() > 0:
        x = x - 1
    return x


def chooses(x: torch.Tensor) -> torch.Tensor:
    return x if (x > 0).any() else -x


def keeps(x: torch.Tensor) -> torch.Tensor:
    return x * bool((x > 0).any())


def compares(x: torch.Tensor) -> torch.Tensor:
    return x * ((x > 0).sum().item() > 2)


@pytest.mark.parametrize("function", [caught, branches, either, repeats, chooses, keeps, compares])
def test_ways_that_lead_on_are_not_decided(function: Function) -> None:
    with pytest.raises(trtnet.ModelError, match=r"(?s)(branch|asked).*in tests/definition/test_value_checks\.py"):
        trtnet.define(Calling(function).eval(), {"x": trtnet.Input((2, 4))})
