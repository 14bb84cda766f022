"""The module tree: children, paths, containers."""

from __future__ import annotations

import pytest

import trtnet
from trtnet import models, nn
from trtnet.errors import ModelError


def test_paths_are_those_of_torch() -> None:
    import originals

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


def test_containers() -> None:
    layers = nn.ModuleList([nn.ReLU()])
    layers.append(nn.Identity())
    assert len(layers) == 2 and isinstance(layers[1], nn.Identity)
    assert [name for name, _ in layers.children()] == ["0", "1"]


def test_a_module_without_forward_is_refused() -> None:
    class Empty(nn.Module):
        pass

    with pytest.raises(ModelError, match="Empty has no forward"):
        trtnet.define(Empty(), {"x": trtnet.Input((1, 2))}, {})
    with pytest.raises(ModelError, match="Sequential does not say what it takes"):
        trtnet.define(nn.Sequential())
