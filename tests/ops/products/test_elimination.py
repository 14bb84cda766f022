"""Inverses, solutions and decompositions of small matrices, by torch.linalg's names in a PyTorch module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

import trtnet
from trtnet.graph.structures import leaves

L = torch.linalg
X = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(0))
TURNED = torch.tensor([[0.0, 2.0], [-1.0, 0.0]])
"""Without an exchange of rows, the first pivot is 0."""


class Of(torch.nn.Module):
    def __init__(self, function: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(x)


def definite(x: torch.Tensor) -> torch.Tensor:
    return x @ x.mT + torch.eye(4)


FUNCTIONS: dict[str, Callable[[torch.Tensor], Any]] = {
    "inv": lambda x: (L.inv(x), torch.inverse(x[0]), x.inverse()),
    "of rows exchanged": lambda x: (L.inv(x[:, :2, :2] * 0 + TURNED), L.det(x[:, :2, :2] * 0 + TURNED)),
    "det": lambda x: (L.det(x), x.det(), L.slogdet(x), torch.logdet(definite(x)), torch.det(x[:, :1, :1])),
    "solve": lambda x: (L.solve(x, x.mT), L.solve(x, x[:, 0]), L.solve(x[0], x), L.solve(x, x[1], left=False)),
    "cholesky": lambda x: (L.cholesky(definite(x)), L.cholesky(definite(x), upper=True), torch.cholesky(definite(x))),
    "triangular": lambda x: (
        L.solve_triangular(x, x.mT, upper=False),
        L.solve_triangular(x, x[0], upper=True, unitriangular=True),
        L.solve_triangular(x, x.mT, upper=True, left=False),
    ),
    "powers": lambda x: (L.matrix_power(x, 3), torch.matrix_power(x, 0), L.matrix_power(x, -2)),
    "products": lambda x: (
        L.multi_dot([x[0], x[1], x[2]]),
        L.cross(x[..., :3], x[..., 1:]),
        L.vecdot(x, x.mT, dim=1),
        L.diagonal(x, offset=1),
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_it_computes_what_torch_does(name: str) -> None:
    module = Of(FUNCTIONS[name]).eval()
    for network in (
        trtnet.define(module, {"x": trtnet.Input((3, 4, 4))}),
        trtnet.define(module, {"x": trtnet.Input(("batch", 4, 4))}) if name != "products" else None,
    ):
        if network is not None:
            for ours, theirs in zip(leaves(network.reference()(X)), leaves(module(X)), strict=True):
                torch.testing.assert_close(torch.as_tensor(ours), theirs, rtol=2e-4, atol=2e-4)


def test_halves_are_inverted_in_float32() -> None:
    network = trtnet.define(Of(L.inv).eval(), {"x": trtnet.Input((3, 4, 4))}, dtype="float16")
    found = torch.as_tensor(network.reference()(X.half()))
    assert found.dtype == torch.float16
    torch.testing.assert_close(found, X.half().float().inverse().half(), rtol=2e-3, atol=2e-3)


def test_what_is_no_number_says_so() -> None:
    """torch raises for these; an engine cannot."""
    network = trtnet.define(Of(lambda x: (L.inv(x * 0), L.cholesky(x * 0 - 1))).eval(), {"x": trtnet.Input((3, 4, 4))})
    inverse, lower = leaves(network.reference()(X))
    assert not torch.as_tensor(inverse).isfinite().any() and torch.as_tensor(lower)[..., 0, 0].isnan().all()


@pytest.mark.parametrize("shape", [("batch", "n", "n"), (3, 4, 5), (2, 65, 65)], ids=str)
def test_other_matrices_are_refused(shape: Any) -> None:
    with pytest.raises(trtnet.LayerError, match=r"inverse takes floating matrices \[\.\.\., n, n\] of a known n of at"):
        trtnet.define(Of(L.inv).eval(), {"x": trtnet.Input(shape)})


def test_they_build_ahead_of_time() -> None:
    network = trtnet.define(Of(lambda x: (L.inv(x), L.cholesky(x))).eval(), {"x": trtnet.Input(("batch", 3, 3))})
    assert len(network.build({"batch": (1, 2, 3)}).plan.data) > 1000
