"""1x1 convolutions of images: which have forms, and what is between products of them that keep channels last."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.comparing import TOLERANCES, Function, random_tensor, relative_l2
from torch import nn

import trtnet
from trtnet import ops
from trtnet.graph.layers.read import needed, read
from trtnet.ops.formulations import measured


class Perceptron(nn.Module):
    """PoolFormer's, of [batch, 8, height, width]."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.act, self.fc2 = nn.Conv2d(8, 16, 1), nn.GELU(), nn.Conv2d(16, 8, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(self.act(self.fc1(x)))


class Blocks(nn.Module):
    """PoolFormer's."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.GroupNorm(1, 8) for _ in range(2 * count))
        self.perceptrons, self.pool = (
            nn.ModuleList(Perceptron() for _ in range(count)),
            nn.AvgPool2d(3, 1, 1, False, False),
        )
        self.scales = nn.ParameterList(torch.randn(8, 1, 1) for _ in range(count))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for i, perceptron in enumerate(self.perceptrons):
            y = self.norms[2 * i](x)
            x = x + (self.pool(y) - y) * self.scales[i]
            x = x + perceptron(self.norms[2 * i + 1](x)) * self.scales[i]
        return x


class Block(nn.Module):
    """1x1 convolutions without a bias, strided, in groups and of one pixel, and one with a bias and a batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.plain, self.strided = nn.Conv2d(8, 8, 1, bias=False), nn.Conv2d(8, 8, 1, stride=2)
        self.groups, self.padded = nn.Conv2d(8, 8, 1, groups=2), nn.Conv2d(8, 8, 1, padding=1)
        self.biased, self.norm = nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8)
        self.pool, self.pixel = nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 8, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(self.biased(x))
        return self.pixel(self.pool(self.padded(self.groups(self.strided(self.plain(y))))))


def define(module: nn.Module, forms: Any, height: Any = "h", **options: Any) -> Any:
    torch.manual_seed(0)
    return trtnet.define(module.eval(), {"x": trtnet.Input(("n", 8, height, 6))}, forms=forms, **options)


def kinds(network: Any) -> list[str]:
    return [node.kind for node in read(network.trt)]


def permutations(network: Any) -> list[tuple[int, ...]]:
    """Those on the way from the first product to the second."""
    nodes = [*read(network.trt)]
    first, second = (node for node in nodes if node.kind == "MATRIX_MULTIPLY")
    makers = {output: node for node in nodes for output in node.outputs}
    node, found = makers[second.inputs[0]], list[tuple[int, ...]]()
    while node is not first:
        order = tuple(node.layer.first_transpose)[:4] if node.kind == "SHUFFLE" else (0, 1, 2, 3)
        found += [order] if order != (0, 1, 2, 3) else []
        node = makers[next(x for x in node.inputs if not is_constant(makers, x))]
    return found


def is_constant(makers: Any, x: Any) -> bool:
    """Whether a tensor is computed from constants alone."""
    return x in makers and all(is_constant(makers, y) for y in makers[x].inputs)


@pytest.fixture(autouse=True)
def _nothing_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "MEASURED", [])


def test_those_with_a_bias_have_forms_and_are_convolutions_that_take_batch_norms() -> None:
    module = Block()
    network = define(module, {})
    chosen = {path: forms["pixelwise"] for path, forms in network.forms.chosen.items() if "pixelwise" in forms}
    assert chosen == {"biased": "convolution"}
    assert "SCALE" not in kinds(network) and kinds(network).count("CONVOLUTION") == 6
    with torch.inference_mode():
        module.norm.running_mean.normal_()
        module.norm.running_var.uniform_(0.5, 2)
        x = random_tensor(2, 8, 4, 6)
        for forms in ({}, {"pixelwise": "product"}):
            assert relative_l2(define(module, forms).reference()(x), module(x)) <= TOLERANCES["float32"]


@pytest.mark.parametrize("gelu", ["layer", "float32", "apart"])
def test_channels_are_last_from_the_first_product_to_the_last(gelu: str) -> None:
    module = Perceptron()
    network = define(module, {"pixelwise": "product", "gelu": gelu}, dtype="float16")
    assert permutations(network) == ([(1, 0, 2, 3)] * 2 if gelu == "apart" else [])
    x = random_tensor(2, 8, 4, 6, dtype="float16")
    with torch.inference_mode():
        assert relative_l2(network.reference()(x), module(x.float())) <= TOLERANCES["float16"]
    assert network.build({"n": (1, 2, 3), "h": (2, 4, 5)}).plan.data


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_shortcuts_norms_and_pools_between_products_are_kept_so(dtype: str) -> None:
    """A third block has no permutation more than two have."""
    counts = []
    for count in (1, 2, 3):
        module = Blocks(count)
        network = define(module, {"pixelwise": "product", "pooling": "separable"}, 4, dtype=dtype)
        nodes = needed(read(network.trt), [network.trt.get_output(0)])
        makers = {output: node for node in nodes for output in node.outputs}
        shuffles = [n for n in nodes if n.kind == "SHUFFLE" and tuple(n.layer.first_transpose)[:4] != (0, 1, 2, 3)]
        counts.append(sum(not is_constant(makers, n.inputs[0]) for n in shuffles if len(n.outputs[0].shape) == 4))
        x = random_tensor(2, 8, 4, 6, dtype=dtype)
        with torch.inference_mode():
            expected = module(x.float())
        assert relative_l2(network.reference()(x), expected) <= 3 * TOLERANCES[dtype]
    assert counts[1] == counts[2] < counts[0] + 2


def test_what_is_made_outside_of_branches_is_permuted_in_each() -> None:
    kernel, bias = np.random.default_rng(0).standard_normal((8, 8, 1, 1)).astype(np.float32), np.ones(8, np.float32)

    def branches(x: Any) -> Any:
        y = ops.cond(ops.sum(x) > 0, lambda z: ops.conv2d(z, kernel, bias) * 2, lambda z: z * 3, (x,))
        return y + ops.conv2d(x, kernel, bias)

    inputs = {"x": trtnet.Input(("n", 8, 4, 6))}
    network = trtnet.define(Function(branches), inputs, {}, forms={"pixelwise": "product"})
    for sign in (1, -1):
        x = sign * random_tensor(2, 8, 4, 6).abs()
        y = F.conv2d(x, torch.from_numpy(kernel), torch.from_numpy(bias))
        assert relative_l2(network.reference()(x), 3 * y if sign > 0 else 3 * x + y) <= TOLERANCES["float32"]
    assert network.build({"n": (1, 2, 3)}).plan.data


def test_weights_of_products_keep_their_names() -> None:
    network = define(Perceptron(), {"pixelwise": "product"})
    assert {*network.weights_by_name()} >= {"fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"}
    assert np.asarray(network.weights_by_name()["fc1.weight"].array).shape == (16, 8, 1, 1)
