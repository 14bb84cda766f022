"""Functions that torch has twice under one name, and those of extensions, which may have any name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import trtnet
from trtnet.graph.structures import leaves

ATEN = torch.ops.aten


class Of(nn.Module):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.function = function
        self.weight, self.bias = nn.Parameter(torch.randn(3)), nn.Parameter(torch.randn(3))
        self.register_buffer("mean", torch.randn(3))
        self.register_buffer("var", torch.rand(3) + 0.5)
        self.table = nn.Parameter(torch.randn(10, 4))

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(self, x)


def of_norms(m: Any, x: torch.Tensor) -> Any:
    """torch.batch_norm has the weight first, torch.nn.functional.batch_norm the mean."""
    one = torch.batch_norm(x, m.weight, m.bias, m.mean, m.var, False, 0.1, 1e-3, True)
    two = ATEN.batch_norm.default(x, m.weight, m.bias, m.mean, m.var, False, 0.1, 1e-3, False)
    three = torch.instance_norm(x, m.weight, m.bias, None, None, True, 0.1, 1e-5, True)
    four = torch.group_norm(x, 3, m.weight, bias=m.bias, eps=1e-3, cudnn_enabled=False)
    return one, two, three, four, torch.layer_norm(x, [6], None, None, 1e-3, False)


def of_tables(m: Any, x: torch.Tensor) -> Any:
    places = x[..., 0].argsort(-1)
    return torch.embedding(m.table, places), ATEN.embedding.default(m.table, indices=places)


def of_losses(m: Any, x: torch.Tensor) -> Any:
    logs, shares = x.log_softmax(1), x.softmax(1)
    kl = [torch.kl_div(logs, shares, number) for number in (0, 1, 2)]
    both = torch.binary_cross_entropy_with_logits(x, shares, None, None, 2), ATEN.mse_loss(x, shares, 2)
    return *kl, *both, torch.binary_cross_entropy_with_logits(x, shares, reduction=1)


def of_operators(m: Any, x: torch.Tensor) -> Any:
    y = ATEN.mul_.Tensor(x.clone(), 3)
    return ATEN.mul.Tensor(x, 2), ATEN.sum.dim_IntList(x, [1], True), ATEN.relu(x), y, ATEN.std.dim(x, [1], False)


@pytest.mark.parametrize("function", [of_norms, of_tables, of_losses, of_operators])
def test_it_computes_what_torch_does(function: Callable[..., Any]) -> None:
    module, x = Of(function).eval(), torch.randn(2, 3, 6, generator=torch.Generator().manual_seed(1))
    network = trtnet.define(module, {"x": x}, dims={"x": {0: "batch"}})
    with torch.no_grad():
        expected = list(leaves(module(x)))
    for ours, theirs in zip(leaves(network.reference()(x.numpy())), expected, strict=True):
        torch.testing.assert_close(torch.as_tensor(ours), theirs)


LIBRARY = torch.library.Library("trtnet_test_names", "DEF")
LIBRARY.define("add(Tensor x, Tensor y) -> Tensor")
LIBRARY.impl("add", lambda x, y: x * y, "CPU")


@pytest.mark.parametrize("overload", [False, True])
def test_an_operator_of_an_extension_is_not_torchs_function_of_its_name(overload: bool) -> None:
    add = torch.ops.trtnet_test_names.add
    operator = add.default if overload else add
    with pytest.raises(trtnet.ModelError, match=r"torch's trtnet_test_names::add .* operator of an extension"):
        trtnet.define(Of(lambda m, x: operator(x, x)).eval(), {"x": torch.ones(2, 3)})
