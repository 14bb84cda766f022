"""What a PyTorch module chooses by a mask, and how many that are, is computed for all: as torch computes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import trtnet
from trtnet.graph.structures import leaves


class Of(nn.Module):
    """A function as a module, with members."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function
        self.block = nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.GELU(), nn.Linear(6, 4))
        self.experts = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])
        self.gate, self.token = nn.Linear(4, 3), nn.Parameter(torch.randn(4))

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(self, x)


def written_back(m: Any, x: torch.Tensor) -> Any:
    mask = x[..., 0] > 0
    y, z, w = x.clone(), torch.zeros_like(x), x.clone()
    y[mask] = m.block(x[mask]) + m.token
    z[~mask] = m.token
    z[mask] += x[mask] * 2
    w[mask, :2] = x[mask][:, 2:]
    w[mask, 3] = 5.0
    return y, z, w


def of_elements(m: Any, x: torch.Tensor) -> Any:
    mask, y = x > 0.5, x.clone()
    y[mask] = y[mask].exp()
    y[mask] *= 2
    return y


def written_meanwhile(m: Any, x: torch.Tensor) -> Any:
    """What was chosen stays what it was, whatever becomes of the tensor and of the mask."""
    mask, y = x[..., 0] > 0, x.clone()
    chosen = y[mask]
    chosen += 1
    y[mask] = 0.0
    before = y[mask].sum()
    mask &= x[..., 1] > 0
    y[mask] = 7.0
    return y, chosen.sum(0), before


def of_places(m: Any, x: torch.Tensor) -> Any:
    mask, y, z = x[..., 0] > 0, x.clone(), torch.zeros(x.shape[0], 4)
    row, column = torch.where(mask)
    y[row, column] = x[row, column].softmax(-1)
    z.index_add_(0, row, x[mask])
    flat = x.flatten(0, 1)
    places = torch.nonzero(mask.flatten(), as_tuple=True)[0]
    out = torch.zeros_like(flat)
    out[places] = flat[places] * 2
    out[places] += 1
    hidden = mask.clone()
    hidden[torch.where(mask.sum(-1) > 1)] = False
    return y, z, out, hidden


def of_all(m: Any, x: torch.Tensor) -> Any:
    mask = x[..., 0] > -9
    chosen, few = x[mask], x[x[..., 1] > 0.2]
    some = chosen[chosen[:, 2] > 0]
    parts = torch.cat([few, few.abs()], 1).chunk(2, -1)[1], torch.stack([few, few], 1), few @ torch.ones(4, 2)
    whole = chosen.mean(), chosen.mean(0), chosen.max(), chosen.amin(0), few.sum(), some.sum(0), (few > 0).any()
    return *whole, *(part.sum(0) for part in parts), few.argmax(1).sum(), x.masked_select(x > 0).sum()


def mixture(m: Any, x: torch.Tensor) -> Any:
    flat = x.view(-1, 4)
    weights, which = m.gate(flat).topk(2)
    out = torch.zeros_like(flat)
    for number, expert in enumerate(m.experts):
        row, place = torch.where(which == number)
        out[row] += weights[row, place, None] * expert(flat[row])
    return out.view_as(x)


def scattered(m: Any, x: torch.Tensor) -> Any:
    mask = x[..., :1] > 0
    return x.masked_scatter(mask, torch.flip(x, [1])), torch.masked_scatter(x, x > 0, torch.arange(200.0))


def asked_twice(m: Any, x: torch.Tensor) -> Any:
    """A mask that is computed where it is used: equal as long as nothing of it was written to."""
    y, mask = x.clone(), x[..., 0] > 0
    y[y > 0] = y[y > 0] * 2
    y[y > 1] = y[y > 1] - 1
    before = y[y < 0].sum()
    y.add_(1)
    y[~mask] = x[~mask] * 3
    after = y[y < 0].sum(), x[~mask].sum(0)
    mask.logical_not_()
    return y, before, *after, x[~mask].sum(0)


FUNCTIONS = (asked_twice, written_back, of_elements, written_meanwhile, of_places, of_all, mixture, scattered)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("named", [False, True], ids=["known", "named"])
def test_it_computes_what_torch_does(function: Callable[..., Any], named: bool) -> None:
    torch.manual_seed(0)
    module = Of(function).eval()
    network = trtnet.define(module, {"x": trtnet.Input(("batch", "length", 4) if named else (2, 5, 4))})
    for shape in [(2, 5, 4), (1, 3, 4), (3, 7, 4)][: 3 if named else 1]:
        x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            expected = list(leaves(module(x.clone())))
        for ours, theirs in zip(leaves(network.reference()(x)), expected, strict=True):
            torch.testing.assert_close(torch.as_tensor(ours), theirs)


def test_they_build_ahead_of_time() -> None:
    def all_of_them(m: Any, x: torch.Tensor) -> Any:
        return [function(m, x) for function in FUNCTIONS]

    network = trtnet.define(Of(all_of_them).eval(), {"x": trtnet.Input(("batch", 5, 4))})
    assert len(network.build({"batch": (1, 2, 3)}).plan.data) > 1000


@pytest.mark.parametrize(
    "function",
    [
        lambda m, x: x[x > 0],
        lambda m, x: x[x > 0].shape[0] * x,
        lambda m, x: len(x[x > 0]) * x,
        lambda m, x: torch.where(x > 0),
        lambda m, x: x[x > 0] * x[x > 0.5],
        lambda m, x: x[x > 0] * x.add_(1)[x > 0],
        lambda m, x: x[x[..., 0] > 0].softmax(0).sum(),
        lambda m, x: x[x[..., 0] > 0].view(2, -1).sum(),
        lambda m, x: x[x[..., 0] > 0] * x[0, :4],
    ],
)
def test_what_needs_the_rows_themselves_is_an_error_at_the_line(function: Callable[..., Any]) -> None:
    with pytest.raises(trtnet.LayerError, match=r"no kernels for NON_ZERO(.|\n)*test_torch_selections\.py"):
        trtnet.define(Of(function).eval(), {"x": trtnet.Input((2, 5, 4))})
