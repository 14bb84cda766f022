"""A PyTorch module defines a network by its own forward; torch is the oracle, through the reference executor."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from helpers.originals import import_torchvision
from torch import nn
from torch.nn import functional as F

import trtnet

Made = tuple[Callable[[], nn.Module], Mapping[str, tuple[Any, ...]]]


class Patches(nn.Module):
    """A class token that is expanded, positions that are cut, a tensor made of sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.randn(1, 1, 6))
        self.positions = nn.Parameter(torch.randn(1, 9, 6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, _ = x.shape
        x = torch.cat([self.token.expand(batch, -1, -1), x], dim=1) + self.positions[:, : length + 1]
        zeros = torch.zeros(batch, length + 1, 1, device=x.device, dtype=x.dtype)
        return torch.cat([x, zeros, x.new_ones(batch, length + 1, 2)], -1)


class Normalized(nn.Module):
    """Weights that are computed with before they are used, a table of constants, a buffer without a key."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(5, 4))
        self.gain = nn.Parameter(torch.rand(5, 1))
        self.register_buffer("scale", torch.rand(5), persistent=False)
        self.register_buffer("index", torch.tensor([3, 0, 1]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.gain * self.weight / self.weight.norm(dim=1, keepdim=True)
        y = F.linear(x, weight) * self.scale
        return y[:, self.index] + torch.arange(3)


class Written(nn.Module):
    """Writes in place, through views."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x.clone()
        y[:, 1:3] = 0.5
        y.view(y.shape[0], 2, 2)[:, 0].mul_(3)
        y += x
        return y.masked_fill_(y > 1, -1)


class Twice(nn.Module):
    """One layer at two places, called three times; a tied weight."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.again = self.first
        self.last = nn.Linear(4, 4, bias=False)
        self.last.weight = self.first.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.again(F.relu(self.first(self.first(x)))))


class Sequence(nn.Module):
    """What torch computes by fused functions: recurrences, attention."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 6, num_layers=2, bidirectional=True, batch_first=True)
        self.gru = nn.GRU(12, 8, batch_first=True)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y, _ = self.lstm(x)
        y, h = self.gru(y)
        y = self.layer(y)
        return self.attention(y, y, y, need_weights=False)[0] + h[-1][:, None]


CASES: dict[str, Made] = {
    "patches": (Patches, {"x": ("batch", "n", 6)}),
    "normalized": (Normalized, {"x": ("batch", 4)}),
    "written": (Written, {"x": ("batch", 4)}),
    "twice": (Twice, {"x": ("batch", 4)}),
    "sequence": (Sequence, {"x": ("batch", 7, 4)}),
    "sequential": (
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Dropout(), nn.Flatten()),
        {"input": ("batch", 3, 8, 8)},
    ),
}  # fmt: skip


def defined(module: nn.Module, shapes: Mapping[str, tuple[Any, ...]], dtype: Any = "float32") -> Any:
    return trtnet.define(module, {name: trtnet.Input(shape) for name, shape in shapes.items()}, dtype=dtype)


def given(shapes: Mapping[str, tuple[Any, ...]], **sizes: int) -> dict[str, torch.Tensor]:
    return {name: torch.randn([sizes.get(size, size) for size in shape]) for name, shape in shapes.items()}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_module_is_a_model(name: str, dtype: str) -> None:
    torch.manual_seed(0)
    make, shapes = CASES[name]
    module = make().eval()
    network = defined(module, shapes, dtype)
    for sizes in ({"batch": 2, "n": 5}, {"batch": 3, "n": 8}):
        inputs = given(shapes, **sizes)
        with torch.no_grad():
            expected = module(**inputs)
        narrow = {key: x.to(getattr(torch, dtype)) for key, x in inputs.items()}
        found = torch.as_tensor(network.reference()(**narrow))
        assert found.shape == expected.shape
        tolerance = 1e-5 if dtype == "float32" else 1e-2
        assert (found.float() - expected).norm() <= tolerance * expected.norm()


@pytest.mark.parametrize("name", CASES)
def test_it_builds_ahead_of_time(name: str) -> None:
    make, shapes = CASES[name]
    network = defined(make().eval(), shapes)
    sizes = {size: (1, 4, 8) for shape in shapes.values() for size in shape if isinstance(size, str)}
    engine = network.build(sizes)
    assert [tuple(x.shape) for x in engine.inputs] == list(shapes.values())


def test_layers_belong_to_the_modules_and_weights_keep_their_names() -> None:
    module = import_torchvision().models.resnet18().eval()
    network = defined(module, {"x": (1, 3, 32, 32)})
    names = [network.trt.get_layer(i).name for i in range(network.trt.num_layers)]
    assert len(names) == 52 and "layer1.0.conv1/convolution" in names and "fc/matmul" in names
    assert network.keys == tuple(module.state_dict())
    metadata = [network.trt.get_layer(i).metadata for i in range(network.trt.num_layers)]
    assert any("torchvision/models/resnet.py" in text for text in metadata)


def test_what_was_computed_from_weights_is_recorded_as_folded() -> None:
    network = defined(Normalized().eval(), {"x": (2, 4)})
    assert network.folded >= {"weight", "gain"}
    assert {"first.weight"} <= defined(Twice().eval(), {"x": (2, 4)}).named


class Reads(nn.Module):
    """Gives its weights to Python."""

    def __init__(self) -> None:
        super().__init__()
        self.alpha, self.beta = nn.Parameter(torch.tensor(2.0)), nn.Parameter(torch.tensor(3.0))
        self.gamma, self.delta = nn.Parameter(torch.tensor(4.0)), nn.Parameter(torch.tensor(5.0))
        self.part, self.row, self.most, self.named = (nn.Parameter(torch.randn(6)) for _ in range(4))
        self.register_buffer("is_on", torch.tensor(True))
        self.register_buffer("count", torch.tensor([3, 2]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x * self.alpha.item() + float(self.beta) + torch.from_numpy(self.row.detach().numpy())
        if torch.is_nonzero(self.gamma):
            y = y * complex(self.delta).real
        if self.is_on and self.most.max() < 100:
            y = y[:, : self.count.tolist()[0]]
        written = torch.ones(3)
        written[1:] = self.part[:2]
        return y * self.named[:3] * written


def test_what_was_given_to_python_is_recorded_as_folded() -> None:
    module, x = Reads().eval(), torch.randn(2, 6)
    network = trtnet.define(module, {"x": x})
    assert network.folded == {"alpha", "beta", "gamma", "delta", "part", "row", "most", "is_on", "count"}
    assert network.named == {"named"}
    torch.testing.assert_close(torch.as_tensor(network.reference()(x)), module(x).detach())


def test_a_module_that_was_trained_since_is_an_error() -> None:
    """Weights of the network share the module's memory, and those that were computed do not: it would be of both."""
    module, x = nn.Sequential(nn.Linear(6, 3), nn.BatchNorm1d(3)).eval(), torch.randn(2, 6)
    network, apart = (trtnet.define(each, {"x": x}) for each in (module, copy.deepcopy(module)))
    before = network.reference()(x)
    with torch.no_grad():
        module[0].weight.add_(0.1)
    for use in (network.reference, network.build):
        with pytest.raises(trtnet.ModelError, match=r"^0.weight of the PyTorch module has been written to since the"):
            use()
    np.testing.assert_array_equal(apart.reference()(x), before)


def test_the_module_and_torch_are_as_before() -> None:
    class Caching(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.kept = x
            return x + 1

    module, before = Caching().eval(), (torch.zeros, torch.Tensor.expand, nn.Module.__call__)
    defined(module, {"x": (2, 4)})
    assert not hasattr(module, "kept")
    assert (torch.zeros, torch.Tensor.expand, nn.Module.__call__) == before
    assert torch.equal(module(torch.zeros(2)), torch.ones(2))


@dataclasses.dataclass
class Result:
    scores: torch.Tensor
    hidden: tuple[torch.Tensor, ...]
    loss: torch.Tensor | None = None


class Several(nn.Module):
    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> Result:
        return Result(x * mask, (x, x + 1))


def test_results_are_outputs_by_name() -> None:
    network = defined(Several().eval(), {"x": (2, 3), "mask": (2, 3)})
    assert list(network.outputs) == ["scores", "hidden.0", "hidden.1"]


def test_a_dtype_of_the_network_is_what_the_module_sees() -> None:
    seen = []

    class Asking(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append((x.dtype, self.linear.weight.dtype, isinstance(x, torch.Tensor), x.is_cuda, tuple(x.shape)))
            return self.linear(x.to(self.linear.weight.dtype))

    network = defined(Asking().eval(), {"x": (2, 3)}, "float16")
    assert seen == [(torch.float16, torch.float16, True, False, (2, 3))]
    assert network.reference()(np.ones((2, 3), np.float16)).dtype == np.float16


class Branching(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if x.sum() > 0 else -x


class Learning(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.count = nn.Parameter(torch.zeros(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.count.add_(1)
        return x + self.count


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (Branching().eval(), r"cannot branch on it.*\n.*x if x.sum\(\) > 0 else -x"),
        (Learning().eval(), r"add_ writes to count of the module"),
        (nn.Linear(3, 3).train(), r"Linear is in training mode"),
    ],
    ids=["branch", "write", "training"],
)
def test_what_a_network_cannot_do_is_an_error_at_the_line(module: nn.Module, text: str) -> None:
    with pytest.raises(trtnet.ModelError, match=text):
        defined(module, {"x": (2, 3)})
    assert torch.equal(torch.zeros(2), torch.zeros((2,)))  # torch is whole again


def test_other_weights_of_the_same_names() -> None:
    module, other = nn.Linear(3, 2).eval(), nn.Linear(3, 2).eval()
    network = trtnet.define(module, {"input": trtnet.Input((1, 3))}, other.state_dict())
    x = torch.randn(1, 3)
    np.testing.assert_allclose(network.reference()(x.numpy()), other(x).detach().numpy(), rtol=1e-5, atol=1e-6)


def test_bisect_acquits_a_module_against_itself_and_names_a_planted_bug() -> None:
    torch.manual_seed(0)
    original = nn.Sequential(nn.Linear(4, 4), nn.GELU(), nn.Linear(4, 4)).eval()
    planted = nn.Sequential(nn.Linear(4, 4), nn.GELU(approximate="tanh"), nn.Linear(4, 4)).eval()
    planted.load_state_dict(original.state_dict())
    x = {"input": np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)}
    shapes = {"input": (8, 4)}
    assert trtnet.bisect(defined(original, shapes), original, x).passed
    found = trtnet.bisect(defined(planted, shapes), original, x)
    assert not found.passed and "1" in str(found)


class Wrapped(trtnet.nn.Module):
    """A model of trtnet's whose member has the name that wrappers give to a torch module."""

    def __init__(self) -> None:
        self.module = trtnet.nn.Identity()

    def forward(self, a: trtnet.Tensor, b: trtnet.Tensor) -> trtnet.Tensor:
        return self.module(a) - b


def test_a_member_called_module_makes_no_torch_module_of_a_model() -> None:
    network = trtnet.define(Wrapped(), {"b": trtnet.Input((2,)), "a": trtnet.Input((2,))})
    a, b = np.array([5, 7], np.float32), np.array([1, 2], np.float32)
    np.testing.assert_array_equal(network.reference()(a=a, b=b), a - b)


class Keeping(nn.Module):
    """What its children are called with is what they get."""

    def __init__(self) -> None:
        super().__init__()
        self.child = Child()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        sizes, options, seen = [1, 2], {"scale": 2.0, "mask": None}, []
        y = self.child(x, sizes, options=options, seen=seen)
        assert self.child.got == (id(sizes), id(options), id(seen)) and len(seen) == 1
        return y + seen[0] + len(sizes)


class Child(nn.Module):
    def forward(self, x: torch.Tensor, sizes: list[int], options: dict[str, Any], seen: list[Any]) -> torch.Tensor:
        self.got = id(sizes), id(options), id(seen)
        sizes.append(3)
        seen.append(x * 2)
        assert options["mask"] is None
        return x * options["scale"]


def test_a_module_gets_the_very_objects_it_was_called_with() -> None:
    network = defined(Keeping().eval(), {"x": (2, 3)})
    x = torch.randn(2, 3)
    np.testing.assert_allclose(network.reference()(x.numpy()), (4 * x + 3).numpy(), rtol=1e-6)
