"""The module tree: children, paths, containers."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
import torch
from helpers.comparing import random_weights, relative_l2

import trtnet
from trtnet import models, nn, ops
from trtnet.support.errors import ModelError


def test_paths_are_those_of_torch() -> None:
    from helpers import originals

    ours = dict(models.resnet18().named_parameters())
    theirs = originals.resnet("resnet18").state_dict()
    assert {key: parameter.shape for key, parameter in ours.items()} == {
        key: tuple(value.shape) for key, value in theirs.items() if not key.endswith("num_batches_tracked")
    }
    learned = {key for key, parameter in ours.items() if not isinstance(parameter, nn.Buffer)}
    assert learned == {key for key, _ in originals.resnet("resnet18").named_parameters()}


def test_modules_are_listed_parents_first() -> None:
    paths = [path for path, _ in models.resnet18().named_modules()]
    assert paths[:4] == ["", "conv1", "bn1", "layer1"]
    assert "layer2.0.downsample.1" in paths


def names(container: nn.Module) -> list[tuple[str, str]]:
    return [(name, type(member).__name__) for name, member in container.members()]


def test_lists() -> None:
    layers = nn.ModuleList([nn.ReLU()])
    layers.append(nn.Identity()).extend([nn.GELU(), nn.Tanh()])
    layers.insert(1, nn.Sigmoid())
    layers[-1] = nn.SiLU()
    assert names(layers) == [("0", "ReLU"), ("1", "Sigmoid"), ("2", "Identity"), ("3", "GELU"), ("4", "SiLU")]
    assert len(layers) == 5 and isinstance(layers[-2], nn.GELU)
    assert [type(module).__name__ for module in layers[1:3]] == ["Sigmoid", "Identity"]
    parameters = nn.ParameterList([nn.Parameter(2), nn.Parameter(3)])
    assert [(key, parameter.shape) for key, parameter in parameters.named_parameters()] == [("0", (2,)), ("1", (3,))]


def test_dicts() -> None:
    layers = nn.ModuleDict({"a": nn.ReLU()})
    layers["b"] = nn.GELU()
    layers.update({"c": nn.Tanh()})
    assert names(layers) == [("a", "ReLU"), ("b", "GELU"), ("c", "Tanh")]
    assert list(layers) == list(layers.keys()) == [name for name, _ in layers.items()] and len(layers) == 3
    assert "b" in layers and "d" not in layers and isinstance(layers["b"], nn.GELU)
    with pytest.raises(ModelError, match="ModuleDict has an attribute 'items', so no member can have this name"):
        layers["items"] = nn.ReLU()
    parameters = nn.ParameterDict({"scale": nn.Parameter(2)})
    assert [key for key, _ in parameters.named_parameters()] == ["scale"]


def test_sequences_by_name() -> None:
    layers = nn.Sequential({"first": nn.Linear(2, 2), "act": nn.ReLU()})
    layers.add_module("second", nn.Linear(2, 3))
    assert [name for name, _ in layers.named_children()] == ["first", "act", "second"]
    assert [name for name, _ in layers[1:].named_children()] == ["act", "second"]
    with pytest.raises(ModelError, match=r"Sequential\.insert needs members that are named by their index"):
        layers.insert(0, nn.Tanh())
    assert [type(module).__name__ for module in nn.Sequential(nn.ReLU(), nn.Tanh())[1:]] == ["Tanh"]
    theirs = torch.nn.Sequential(OrderedDict(first=torch.nn.Linear(2, 2), act=torch.nn.ReLU()))
    theirs.add_module("second", torch.nn.Linear(2, 3))
    x = torch.randn(4, 2)
    with torch.no_grad():
        assert torch.allclose(trtnet.define(layers, {"x": trtnet.Input((4, 2))}, theirs).reference()(x), theirs(x))


def test_a_sequence_with_attributes_of_its_own() -> None:
    class Scaled(nn.Sequential):
        def __init__(self) -> None:
            super().__init__(nn.ReLU())
            self.scale = nn.Parameter(2)

        def forward(self, x: Any) -> Any:
            return super().forward(x) * self.scale

    network = trtnet.define(Scaled(), {"x": trtnet.Input((2,))}, {"scale": torch.tensor([2.0, 3.0])})
    assert len(Scaled()) == 1
    assert torch.equal(network.reference()(torch.tensor([1.0, -1.0])), torch.tensor([2.0, 0.0]))


class Ported(nn.Module):
    """A module that is made as torch's are."""

    def __init__(self) -> None:
        super().__init__()
        self.register_parameter("scale", nn.Parameter(3))
        self.register_parameter("nothing", None)
        self.register_buffer("table", torch.zeros(3))
        self.register_buffer("offset", torch.tensor([1.0, 2.0, 3.0]), persistent=False)
        self.register_buffer("order", np.array([2, 0, 1]), persistent=False)
        self.add_module("act", nn.ModuleDict({"relu": nn.ReLU()}))
        self.scales = nn.ParameterList([nn.Parameter(3)])

    def forward(self, x: Any) -> Any:
        dropped = ops.dropout(self.act["relu"](x * self.scale + self.table), 0.5, self.training)
        return dropped[:, self.order] * self.scales[0] + self.offset


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_module_made_as_torchs_are(dtype: str) -> None:
    model = Ported().eval().train(False)
    assert [key for key, _ in model.named_parameters()] == ["scale", "table", "scales.0"]
    assert [type(module).__name__ for module in model.modules()] == ["Ported", "ModuleDict", "ReLU", "ParameterList"]
    assert [type(child).__name__ for child in model.children()] == ["ModuleDict", "ParameterList"]
    weights = {"scale": torch.tensor([1.0, -1, 2]), "table": torch.tensor([0.5, 1, -0.5]), "scales.0": torch.ones(3)}
    network = trtnet.define(model, {"x": trtnet.Input((2, 3))}, weights, dtype=dtype)
    x = torch.tensor([[1.0, 2, 3], [-1, -2, -3]], dtype=getattr(torch, dtype))
    found = network.reference()(x)
    wanted = torch.relu(x.float() * weights["scale"] + weights["table"])[:, [2, 0, 1]] + torch.tensor([1.0, 2, 3])
    assert found.dtype == x.dtype and torch.equal(found.float(), wanted)
    with pytest.raises(ModelError, match=r"Ported\.train\(\): a network is for inference"):
        model.train()


def test_parameters_in_a_plain_list_are_refused() -> None:
    model = nn.Identity()
    model.scales = [nn.Parameter(2)]
    with pytest.raises(ModelError, match=r"Identity\.scales is a plain list of parameters.*nn\.ParameterList"):
        list(model.named_parameters())


def test_a_module_without_forward_is_refused() -> None:
    class Empty(nn.Module):
        pass

    with pytest.raises(ModelError, match="Empty has no forward"):
        trtnet.define(Empty(), {"x": trtnet.Input((1, 2))}, {})
    with pytest.raises(ModelError, match="Sequential does not declare its inputs"):
        trtnet.define(nn.Sequential())


class Positions(nn.Module):
    """Parameters used as tensors are, in the ways of ported code."""

    def __init__(self) -> None:
        self.pos = nn.Parameter(1, 9, 4)
        self.scale = nn.Parameter(4)

    def forward(self, x: Any) -> Any:
        y = x + self.pos[:, : x.shape[1]] * self.scale.abs().view(1, 1, 4)
        y = y - self.scale * 2 + -self.scale / (self.scale**2 + 1)
        return y @ self.pos[0].mT + self.pos.expand(x.shape[0], -1, -1).sum((1, 2), keepdim=True)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_parameters_are_used_as_tensors_are(dtype: str) -> None:
    weights = random_weights(Positions())
    network = trtnet.define(Positions(), {"x": trtnet.Input(("n", "s", 4))}, weights, dtype=dtype)
    x = np.random.default_rng(0).standard_normal((2, 5, 4)).astype(dtype)
    pos, scale, given = (torch.from_numpy(a).to(torch.float64) for a in (*weights.values(), x))
    wanted = given + pos[:, :5] * scale.abs() - scale * 2 - scale / (scale**2 + 1)
    wanted = wanted @ pos[0].mT + pos.expand(2, -1, -1).sum((1, 2), keepdim=True)
    assert relative_l2(torch.from_numpy(network.reference()(x)), wanted) <= {"float32": 1e-6, "float16": 5e-3}[dtype]
    network.build({"n": (1, 2, 4), "s": (1, 5, 9)})


def test_a_parameter_has_what_a_tensor_has_and_stays_itself() -> None:
    parameter, other = nn.Parameter(3), nn.Parameter(3)
    assert parameter == parameter and parameter != other and len({parameter, other}) == 2
    assert not hasattr(parameter, "nothing") and parameter.shape == (3,) and parameter.dtype is None
    with pytest.raises(AttributeError, match="a Parameter has no 'nothing'"):
        parameter.nothing  # noqa: B018
