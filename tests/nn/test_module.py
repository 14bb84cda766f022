"""The module tree: children, paths, containers."""

from __future__ import annotations

import pytest
import torch
from comparing import relative_l2

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


LAYERS = [
    (nn.Sequential(nn.Linear(6, 4), nn.GELU(), nn.Linear(4, 2, bias=False), nn.Softmax(-1)), (3, 6)),
    (nn.Sequential(nn.Conv2d(3, 4, (3, 1), padding=(1, 0)), nn.SiLU(), nn.AvgPool2d(2), nn.Flatten()), (2, 3, 8, 6)),
    (nn.Sequential(nn.ConvTranspose2d(3, 4, 3, 2, 1), nn.Sigmoid(), nn.MaxPool2d(3, 2, 1)), (2, 3, 5, 6)),
    (nn.Sequential(nn.BatchNorm2d(3), nn.ReLU6(), nn.Dropout(), nn.AdaptiveAvgPool2d(2)), (2, 3, 8, 6)),
]


def torch_layer(layer: nn.Module) -> torch.nn.Module:
    """The torch module of the same name and arguments, which are the layer's attributes."""
    name, values = type(layer).__name__, dict(vars(layer))
    for key, value in list(values.items()):
        if isinstance(value, nn.Parameter) or value is None:
            del values[key]
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        a, b, *kernel = layer.weight.shape
        transposed = isinstance(layer, nn.ConvTranspose2d)
        channels = (a, b * layer.groups) if transposed else (b * layer.groups, a)
        return getattr(torch.nn, name)(*channels, kernel, bias=layer.bias is not None, **values)
    if isinstance(layer, nn.Linear):
        return torch.nn.Linear(layer.weight.shape[1], layer.weight.shape[0], bias=layer.bias is not None)
    if isinstance(layer, nn.BatchNorm2d):
        return torch.nn.BatchNorm2d(layer.running_mean.shape[0], **values)
    return getattr(torch.nn, name)(**values)


@pytest.mark.parametrize(("ours", "shape"), LAYERS, ids=range(len(LAYERS)))
def test_layers_take_torchs_arguments_and_weights(ours: nn.Sequential, shape: tuple[int, ...]) -> None:
    theirs = torch.nn.Sequential(*(torch_layer(layer) for layer in ours)).eval()
    for value in theirs.state_dict().values():
        if value.is_floating_point():
            value.uniform_(0.1, 1.0)
    network = trtnet.define(ours, {"x": trtnet.Input(("n", *shape[1:]))}, theirs)
    x = torch.randn(shape)
    with torch.inference_mode():
        assert relative_l2(network.reference()(x), theirs(x)) <= 1e-6
    network.build({"n": 2})
