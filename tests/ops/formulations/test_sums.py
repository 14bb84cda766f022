"""Sums of convolutions that become one convolution, and those that do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from helpers.comparing import relative_l2
from helpers.ops.made import Made

import trtnet
from trtnet import ops
from trtnet.graph.layers.read import read

RNG = np.random.default_rng(5)
LARGE, SMALL = (RNG.standard_normal((4, 4, k, k)).astype(np.float32) / 4 for k in (3, 1))
FORMS = {"sum": "merged"}


class Net(Made):
    """A large and a small convolution, and what is made of both and the image."""

    def __init__(self, made: Any, **options: Any) -> None:
        super().__init__(made)
        self.large, self.small = torch.nn.Conv2d(4, 4, 3, padding=1, bias=False), torch.nn.Conv2d(4, 4, 1, **options)
        self.norm = torch.nn.BatchNorm2d(4).eval()
        with torch.no_grad():
            for values, seed in ((self.norm.running_mean, 1), (self.norm.running_var, 2), (self.norm.weight, 3)):
                values.copy_(torch.rand(4, generator=torch.Generator().manual_seed(seed)) + 0.5)


MERGED = {
    "sum": lambda m, x: m.large(x) + m.small(x),
    "the small one first": lambda m, x: m.small(x) + m.large(x),
    "the image": lambda m, x: m.large(x) + x,
    "the image first": lambda m, x: x + m.small(x),
    "a batch norm behind": lambda m, x: m.norm(m.large(x) + m.small(x)),
    "a batch norm each": lambda m, x: m.norm(m.large(x)) + m.norm(m.small(x)) + m.norm(x),
    "in place": lambda m, x: m.large(x).add_(m.small(x)).relu_(),
    "the same twice": lambda m, x: m.large(x) + m.large(x),
}
READ_AGAIN = {
    "the large one": lambda m, x: (lambda a, b: (a + b) * a)(m.large(x), m.small(x)),
    "the small one": lambda m, x: (lambda a, b: (a + b) * b)(m.large(x), m.small(x)),
    "behind a batch norm": lambda m, x: (lambda a, b: (m.norm(a + b)) * a * b)(m.large(x), m.small(x)),
    "the sum and its batch norm": lambda m, x: (lambda a: m.norm(a) * a)(m.large(x) + m.small(x)),
}
APART = {
    "read before": lambda m, x: (lambda a: a.relu() + (a + m.small(x)))(m.large(x)),
    "of one with itself": lambda m, x: (lambda a: a + a)(m.large(x)),
    "of one with itself and another": lambda m, x: (lambda a: m.small(x) + (a + a))(m.large(x)),
    "of two images": lambda m, x: m.large(x) + m.small(x * 2),
    "of a batch norm of another": lambda m, x: m.large(x) + m.norm(x * 2),
    "of other sizes": lambda m, x: m.large(x) + torch.nn.functional.conv2d(x, m.large.weight[:, :, :1, :1], stride=5),
    "of a number": lambda m, x: m.large(x) + x.mean(),
    "with a factor": lambda m, x: torch.add(m.large(x), m.small(x), alpha=2),
}


def defined(made: Any, forms: Any = FORMS, dtype: str = "float32") -> tuple[Any, Any]:
    torch.manual_seed(0)
    model = Net(made).eval()
    x = torch.randn(2, 4, 5, 5, generator=torch.Generator().manual_seed(1))
    network = trtnet.define(model, {"x": trtnet.Input(("n", 4, 5, 5))}, dtype=dtype, forms=forms)
    with torch.inference_mode():
        wanted = model(x.clone())
    assert (
        relative_l2(network.reference()(x.to(getattr(torch, dtype))), wanted)
        <= {"float32": 2e-6, "float16": 4e-3}[dtype]
    )
    return network, wanted


def sums(network: Any) -> int:
    return sum(node.kind == "ELEMENTWISE" and "SUM" in str(node.layer.op) for node in read(network.trt))


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("name", MERGED)
def test_sums_of_one_image_are_one_convolution(name: str, dtype: str) -> None:
    network, _ = defined(MERGED[name], dtype=dtype)
    assert sums(network) == 0 and network.forms.chosen[""]["sum"] == "merged"
    assert sums(defined(MERGED[name], {})[0]) > 0


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("name", MERGED)
def test_an_image_stays_apart_where_convolutions_are_merged(name: str, dtype: str) -> None:
    network, _ = defined(MERGED[name], {"sum": "convolutions"}, dtype)
    has_image = name in ("the image", "the image first", "a batch norm each")
    assert sums(network) == has_image and network.forms.chosen[""]["sum"] == "convolutions"


@pytest.mark.parametrize("name", READ_AGAIN)
def test_what_else_reads_a_convolution_gets_its_own_result(name: str) -> None:
    network, _ = defined(READ_AGAIN[name])
    assert sums(network) == 0
    assert network.build({"n": 2}).plan.data


@pytest.mark.parametrize("name", APART)
def test_other_sums_are_sums(name: str) -> None:
    network, _ = defined(APART[name])
    assert sums(network) > 0 and "sum" not in network.forms.chosen.get("", {})


def test_weights_that_would_overflow_stay_apart() -> None:
    torch.manual_seed(0)
    model = Net(MERGED["sum"]).eval()
    with torch.no_grad():
        model.large.weight[:, :, 1, 1] = model.small.weight[:, :, 0, 0] = 6e4
    network = trtnet.define(model, {"x": trtnet.Input((2, 4, 5, 5))}, dtype="float16", forms=FORMS)
    assert sums(network) == 1


def test_padding_by_name_is_padding() -> None:
    class Other(trtnet.nn.Module):
        def forward(self, x: Any) -> Any:
            return ops.conv2d(x, LARGE, padding="same") + ops.conv2d(x, SMALL, padding="valid")

    network = trtnet.define(Other(), {"x": trtnet.Input((2, 4, 5, 5))}, forms=FORMS)
    assert sums(network) == 0
    x = torch.randn(2, 4, 5, 5)
    large, small = torch.from_numpy(LARGE), torch.from_numpy(SMALL)
    expected = torch.nn.functional.conv2d(x, large, padding="same") + torch.nn.functional.conv2d(x, small)
    assert relative_l2(network.reference()(x), expected) < 1e-6
