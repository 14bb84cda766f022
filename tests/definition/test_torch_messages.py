"""What is said where a PyTorch module cannot be defined: which module, and what it did."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import trtnet

X = torch.randn(2, 6)


class Of(nn.Module):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(x)


def inside(function: Callable[..., Any]) -> nn.Module:
    """A module deep in another."""
    return nn.Sequential(nn.Identity(), nn.ModuleDict({"part": Of(function)})["part"], nn.Identity()).eval()


@pytest.mark.parametrize(
    "function",
    [lambda x: x * x.mean().item(), lambda x: x if x.sum() > 0 else -x, torch.linalg.svd],
    ids=["item", "branch", "svd"],
)
def test_an_error_begins_with_the_path_of_the_module(function: Callable[..., Any]) -> None:
    with pytest.raises(trtnet.ModelError) as raised:
        trtnet.define(nn.ModuleDict({"block": inside(function)})["block"], {"x": X})
    assert str(raised.value).startswith("1: ")
    assert str(raised.value).count("1: ") == 1


def unhappy(x: torch.Tensor) -> torch.Tensor:
    raise ValueError("sizes must be 7")


@pytest.mark.parametrize(
    ("function", "kind"), [(unhappy, ValueError), (lambda x: {"a": x}["b"], KeyError), (lambda x: x + None, TypeError)]
)
def test_an_exception_of_the_module_has_a_note(function: Callable[..., Any], kind: type[Exception]) -> None:
    with pytest.raises(kind) as raised:
        trtnet.define(inside(function), {"x": X})
    (note,) = raised.value.__notes__
    assert note.startswith("raised in 1 (Of), which trtnet called")


@pytest.mark.parametrize(
    ("result", "found"),
    [
        (lambda x: None, "None"),
        (lambda x: "a", "a str"),
        (lambda x: {x}, "a set"),
        (lambda x: (y for y in [x]), "a generator"),
        (lambda x: [1, "a"], "an int, a str"),
        (lambda x: {}, "no values"),
    ],
)
def test_a_result_without_tensors_says_what_was_returned(result: Callable[..., Any], found: str) -> None:
    with pytest.raises(trtnet.ModelError, match=rf"^Of.forward returned {found}, in which is no tensor: return"):
        trtnet.define(Of(result).eval(), {"x": X})


def test_an_exported_module_is_not_told_to_call_eval() -> None:
    exported = torch.export.export(nn.Linear(6, 6).eval(), (X,)).module()
    with pytest.raises(trtnet.ModelError, match=r"GraphModule is what torch.export made.* give the module") as raised:
        trtnet.define(exported, {"x": X})
    assert "eval()" not in str(raised.value)


def test_dims_may_be_none() -> None:
    assert trtnet.define(nn.Linear(6, 6).eval(), {"x": X}, dims=None).inputs["x"].shape == (2, 6)
