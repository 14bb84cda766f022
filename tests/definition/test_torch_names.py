"""Functions that torch has twice under one name, and those of extensions, which may have any name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import library, nn
from torch.nn import functional as F

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


def of_losses_of_pairs(m: Any, x: torch.Tensor) -> Any:
    one, two, signs = x[:, 0], x[:, 1], torch.sign(x[:, 2, 0])
    ranks = [torch.margin_ranking_loss(one[:, 0], two[:, 0], signs, 0.1, number) for number in (0, 1, 2)]
    alike = torch.cosine_embedding_loss(input1=one, input2=two, target=signs, reduction=0)
    hinge, soft = torch.hinge_embedding_loss(one[:, 0], signs, 0.5, 0), ATEN.soft_margin_loss(one[:, 0], signs, 0)
    triplets = torch.triplet_margin_loss(one, two, x[:, 2], 1.0, 2, 1e-6, True, 0)
    return *ranks, alike, hinge, soft, triplets, torch.triplet_margin_loss(one, positive=two, negative=one, reduction=2)


def of_older_arguments(m: Any, x: torch.Tensor) -> Any:
    """size_average and reduce, with torch's warning."""
    one, two = x[:, 0], x[:, 1]
    sums = F.mse_loss(one, two, False), F.l1_loss(one, two, size_average=False, reduce=True)
    each = F.smooth_l1_loss(one, two, reduce=False), F.margin_ranking_loss(one, two, one.sign(), 0.1, None, False)
    return *sums, *each, F.kl_div(one, two.softmax(1), size_average=True, reduction="sum")


def of_operators(m: Any, x: torch.Tensor) -> Any:
    y = ATEN.mul_.Tensor(x.clone(), 3)
    return ATEN.mul.Tensor(x, 2), ATEN.sum.dim_IntList(x, [1], True), ATEN.relu(x), y, ATEN.std.dim(x, [1], False)


@pytest.mark.filterwarnings("ignore:size_average and reduce args", "ignore:reduction. 'mean' divides")
@pytest.mark.parametrize(
    "function", [of_norms, of_tables, of_losses, of_losses_of_pairs, of_older_arguments, of_operators]
)
def test_it_computes_what_torch_does(function: Callable[..., Any]) -> None:
    module, x = Of(function).eval(), torch.randn(2, 3, 6, generator=torch.Generator().manual_seed(1))
    network = trtnet.define(module, {"x": x}, dims={"x": {0: "batch"}})
    with torch.no_grad():
        expected = list(leaves(module(x)))
    for ours, theirs in zip(leaves(network.reference()(x.numpy())), expected, strict=True):
        torch.testing.assert_close(torch.as_tensor(ours), theirs)


LIBRARY = library.Library("trtnet_test_names", "DEF")
LIBRARY.define("add(Tensor x, Tensor y) -> Tensor")
LIBRARY.impl("add", lambda x, y: x * y, "CPU")


@pytest.mark.parametrize("overload", [False, True])
def test_an_operator_of_an_extension_is_not_torchs_function_of_its_name(overload: bool) -> None:
    add = torch.ops.trtnet_test_names.add
    operator = add.default if overload else add
    with pytest.raises(trtnet.ModelError, match=r"torch's trtnet_test_names::add .* operator of an extension"):
        trtnet.define(Of(lambda m, x: operator(x, x)).eval(), {"x": torch.ones(2, 3)})
