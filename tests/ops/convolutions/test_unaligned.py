"""Convolutions whose channels are no multiples of 8, with further channels that the layers between them keep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from helpers.comparing import agreeing, random_tensor, random_weights, relative_l2
from helpers.ops.made import Made, batch_norm, layers

import trtnet
from trtnet import nn, ops

PADDED = {"unaligned": "padded"}
IMAGE = {"x": trtnet.Input(("n", 16, 8, 6))}
F = torch.nn.functional


class Net(Made):
    """Convolutions of 10 and 18 channels, of which a function makes the model."""

    def __init__(self, made: Any) -> None:
        super().__init__(made)
        conv = torch.nn.Conv2d
        self.first, self.two, self.three = conv(16, 10, 3, padding=1), conv(10, 10, 1), conv(10, 10, 3, padding=1)
        self.wide, self.back, self.last = conv(10, 18, 3, stride=2, padding=1), conv(18, 10, 1), conv(10, 16, 1)
        self.each, self.both, self.pairs = conv(10, 10, 3, groups=10), conv(20, 16, 1), conv(10, 10, 1, groups=5)
        self.norm, self.act = batch_norm(10), torch.nn.ReLU()


def defined(made: Any, forms: Any = PADDED, dtype: str = "float32") -> Any:
    """The network, after a comparison with torch."""
    torch.manual_seed(0)
    model = Net(made).eval()
    network = trtnet.define(model, IMAGE, dtype=dtype, forms=forms)
    assert agreeing(network, model, random_tensor(2, 16, 8, 6, dtype=dtype))
    return network


def kinds(network: Any) -> Counter[str]:
    return Counter(node.kind for node in layers(network))


def channels(network: Any) -> set[tuple[int, int]]:
    """Of the images that convolutions read and make."""
    return {(n.inputs[0].shape[1], n.outputs[0].shape[1]) for n in layers(network) if n.kind == "CONVOLUTION"}


def shuffled(x: torch.Tensor) -> torch.Tensor:
    n, c, h, w = x.shape
    return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


def unit(m: Net, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    return shuffled(torch.cat([first, F.relu(m.three(second))], 1))


def shuffle_net(m: Net, x: torch.Tensor) -> torch.Tensor:
    y = unit(m, m.first(x), F.relu(m.first(x)))
    y = unit(m, *y.chunk(2, 1))
    first, second = unit(m, *y.chunk(2, 1)).chunk(2, 1)
    return m.last(first) + m.last(second)


KEPT: dict[str, Callable[[Net, torch.Tensor], Any]] = {
    "a residual block": lambda m, x: m.last(
        (lambda y: F.relu(m.norm(m.three(F.relu(m.two(y)))) + y))(m.act(m.norm(m.first(x))))
    ),
    "a gate": lambda m, x: m.last(F.silu(m.first(x))),
    "clipped": lambda m, x: m.last(F.hardswish(m.first(x))),
    "depthwise": lambda m, x: m.last(F.relu(m.each(F.relu(m.first(x))))),
    "pools": lambda m, x: m.last(F.max_pool2d(F.avg_pool2d(m.first(x), 3, 1, 1), 2)),
    "branches of two sizes": lambda m, x: (
        lambda y: m.last(F.relu(y + F.interpolate(m.back(F.relu(m.wide(y))), size=(8, 6))))
    )(m.first(x)),
    "a concatenation": lambda m, x: m.both(torch.cat([m.first(x), m.two(m.first(x))], 1)),
    "shuffled halves": shuffle_net,
}


@pytest.mark.parametrize("form", ["padded", "padded_to_16", "padded_to_32"])
@pytest.mark.parametrize("name", KEPT)
def test_layers_between_convolutions_keep_further_channels(name: str, form: str) -> None:
    made = KEPT[name]
    still = {"x": trtnet.Input((2, 16, 8, 6))}
    torch.manual_seed(0)
    model = Net(made).eval()
    network, neutral = (
        trtnet.define(model, still, forms={"unaligned": f, "pooling": "layer"}) for f in (form, "layer")
    )
    x = random_tensor(2, 16, 8, 6)
    with torch.inference_mode():
        assert relative_l2(network.reference()(x), model(x)) <= 1e-6
    assert all(n % 8 == 0 for pair in channels(network) for n in pair) and any(
        n % 8 for pair in channels(neutral) for n in pair
    )
    assert kinds(network) == kinds(neutral)


SLICED: dict[str, tuple[Callable[[Net, torch.Tensor], Any], int]] = {
    "an output": (lambda m, x: (lambda y: (m.last(y), y))(m.first(x)), 1),
    "exponentials, which may be infinite": (lambda m, x: m.last(torch.exp(m.first(x) * 0.1)), 1),
    "numbers that are added": (lambda m, x: m.last(m.first(x) + 1), 1),
    "groups": (lambda m, x: m.pairs(m.first(x)), 1),
    "channels of another": (lambda m, x: m.last(m.first(x) + x[:, :10]), 2),
    "a mean of channels": (lambda m, x: m.first(x).mean(1), 1),
    "other halves, added": (
        lambda m, x: (lambda y: m.last(y[0] + y[1]))(unit(m, m.first(x), m.first(x)).chunk(2, 1)),
        4,
    ),
}


@pytest.mark.parametrize("name", SLICED)
def test_what_else_reads_an_image_reads_a_slice(name: str) -> None:
    made, slices = SLICED[name]
    network = defined(made)
    assert kinds(network)["SLICE"] == slices and (16, 16) in channels(network)
    assert network.build({"n": 2}).plan.data
    defined(made, dtype="float16")


def test_further_channels_hold_no_more_than_an_image() -> None:
    """The first half of shuffled channels has some of the second half, which squares would make infinite."""

    class Halves(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.small, self.large = torch.nn.Conv2d(8, 10, 1), torch.nn.Conv2d(8, 10, 1)
            self.last = torch.nn.Conv2d(10, 8, 1)
            with torch.no_grad():
                self.large.weight.mul_(3e3)
                self.large.weight[:5] = 0.0  # the first half has no large values of its own
                self.small.weight[5:] = 0.0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = shuffled(torch.cat([self.small(x), self.large(x)], 1))[:, :10]
            return self.last(y * y)

    torch.manual_seed(0)
    model = Halves().eval()
    network = trtnet.define(model, {"x": trtnet.Input((2, 8, 4, 4))}, dtype="float16", forms=PADDED)
    x = random_tensor(2, 8, 4, 4, dtype="float16")
    with torch.inference_mode():
        assert relative_l2(network.reference()(x), model(x.float())) <= 1e-2


def test_what_is_in_branches_is_left_alone() -> None:
    class Branches(nn.Module):
        def __init__(self) -> None:
            self.one = nn.Conv2d(16, 10, 1)

        def forward(self, x: Any) -> Any:
            return ops.cond(ops.sum(x) > 0, lambda y: ops.relu(self.one(y)), lambda y: self.one(y * 2), (x,))

    weights = {f"one.{key}": value for key, value in random_weights(nn.Conv2d(16, 10, 1)).items()}
    network = trtnet.define(Branches(), {"x": trtnet.Input((2, 16, 5, 4))}, weights, forms=PADDED)
    assert channels(network) == {(16, 10)} and not network.forms.chosen.get("one", {}).get("unaligned")


def test_few_and_aligned_channels_are_no_operations_of_the_kind() -> None:
    model = torch.nn.Sequential(torch.nn.Conv2d(16, 24, 1), torch.nn.ReLU(), torch.nn.Conv2d(24, 3, 1)).eval()
    network = trtnet.define(model, IMAGE)
    assert all("unaligned" not in chosen for chosen in network.forms.chosen.values())


def test_a_module_alone_is_padded() -> None:
    network = defined(lambda m, x: m.last(F.relu(m.two(F.relu(m.first(x))))), {"unaligned": {"first": "padded"}})
    assert channels(network) == {(16, 16), (10, 10), (10, 16)} and kinds(network)["SLICE"] == 1
    assert network.forms.by["first"]["unaligned"] == "user: first"


def test_modules_are_compared_with_torchs_and_a_wrong_one_is_named() -> None:
    torch.manual_seed(0)
    original = Net(lambda m, x: m.last(m.act(m.three(m.act(m.first(x)))))).eval()
    other = Net(original.made).eval()
    other.load_state_dict(original.state_dict())
    three = other.three
    three.forward = lambda x: F.conv2d(x, three.weight.flip(0), three.bias, padding=1)  # type: ignore[method-assign]
    x = {"x": random_tensor(2, 16, 8, 6)}
    found = trtnet.bisect(trtnet.define(original, IMAGE, forms=PADDED), original, x)
    verdicts = [(row.path, row.verdict.name) for row in found.rows]
    assert verdicts == [(path, "AGREES") for path in ("first", "act", "three", "act", "last", "")]
    found = trtnet.bisect(trtnet.define(other, IMAGE, forms=PADDED), original, x)
    assert [finding.row.path for finding in found.findings] == ["three"]


def test_padded_weights_have_no_names_and_the_others_keep_theirs() -> None:
    network = defined(lambda m, x: m.last(torch.exp(m.first(x) * 0.1)))
    assert {"first.weight", "first.bias"} <= network.folded and network.named == {"last.weight", "last.bias"}
