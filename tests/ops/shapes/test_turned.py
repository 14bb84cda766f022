"""Operations of single elements are computed before the permutation of a tensor that a form keeps in another order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from helpers.comparing import Function, relative_l2

import trtnet
from trtnet.graph.layers.read import read
from trtnet.ops.shapes.turned import turn, turned, turning

ORDER, BACK = (1, 2, 3, 0), (3, 0, 1, 2)
X = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
FACTORS = np.linspace(0.5, 2, 5, dtype=np.float32)


def kept(x: Any, order: tuple[int, ...] = ORDER, back: tuple[int, ...] = BACK) -> Any:
    """As it is, for torch; else as a tensor that was turned."""
    return x if isinstance(x, torch.Tensor) else turned(x.permute(*back), order)


def constant(array: np.ndarray, x: Any) -> Any:
    return torch.as_tensor(array) if isinstance(x, torch.Tensor) else array


def defined(call: Any, batch: Any = 2) -> Any:
    network = trtnet.define(Function(call), {"x": trtnet.Input((batch, 3, 4, 5))}, {})
    assert relative_l2(network.reference()(X), call(X)) < 1e-6
    return network


def ahead(call: Any, batch: Any = 2) -> bool:
    """Whether the permutation that the result is made with has a layer before it that computes, or is that of `x`."""
    network = defined(call, batch)
    nodes = {node.layer.get_output(0).name: node for node in read(network.trt)}
    last = nodes[network.trt.get_output(0).name]
    while last.kind in ("IDENTITY", "CAST"):
        last = nodes[last.layer.get_input(0).name]
    return bool(last.kind == "SHUFFLE")


@pytest.mark.parametrize(
    "call",
    [
        lambda x: kept(x).relu(),
        lambda x: kept(x).exp().sigmoid(),
        lambda x: kept(x) * 2 + 1,
        lambda x: 1 - kept(x),
        lambda x: kept(x) * constant(FACTORS, x),
        lambda x: kept(x) + constant(FACTORS[:4, None], x),
        lambda x: kept(x) + constant(FACTORS[:3].reshape(1, 3, 1, 1), x),
        lambda x: (kept(x) + kept(x.exp())).tanh(),
        lambda x: (kept(x) * 4).int().float(),
        lambda x: kept(x.abs()).sqrt().permute(0, 3, 1, 2),
    ],
)
@pytest.mark.parametrize("batch", [2, "batch"])
def test_elements_are_computed_before_the_permutation(call: Any, batch: Any) -> None:
    assert ahead(call, batch)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: kept(x) + x,
        lambda x: kept(x) + kept(x, (1, 0, 2, 3), (1, 0, 2, 3)),
        lambda x: kept(x[:, :1]) * constant(FACTORS[:3].reshape(1, 3, 1, 1), x),
        lambda x: kept(x) + kept(x)[:1],
    ],
    ids=["not turned", "turned differently", "grows", "a part"],
)
def test_others_are_computed_as_they_are(call: Any) -> None:
    assert not ahead(call)


def test_a_permutation_to_the_order_of_the_source_is_the_source() -> None:
    network = defined(lambda x: kept(x).relu().permute(*BACK).exp())
    kinds = [node.kind for node in read(network.trt)]
    assert kinds.index("UNARY") > kinds.index("ACTIVATION")
    unary = next(node.layer for node in read(network.trt) if node.kind == "UNARY")
    makers = {node.layer.get_output(0).name: node.kind for node in read(network.trt)}
    assert makers[unary.get_input(0).name] == "ACTIVATION"


def test_what_is_turned_is_known_from_then_on() -> None:
    seen = []

    def call(x: Any) -> Any:
        if isinstance(x, torch.Tensor):
            return (x + x.exp()).relu()
        source = turn(x, ORDER)
        seen.append(turning(x) is not None and turning(x).order == ORDER and source.shape == (5, *x.shape[:3]))
        return (x + turned(source.exp(), ORDER)).relu()

    assert ahead(call) and seen == [True]


def test_writes_are_seen_by_the_tensor_and_not_by_its_source() -> None:
    def call(x: Any) -> Any:
        source = x.permute(*BACK) * 1
        y = source.permute(*ORDER).clone() if isinstance(x, torch.Tensor) else turned(source, ORDER)
        y.relu_()
        y += 1
        y[:, 0] = 3
        return y * 2 + source.permute(*ORDER)

    defined(call)
