"""A network defined again as an engine's sidecar says, for refit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.comparing import random_weights
from helpers.originals import import_torchvision
from safetensors.numpy import save_file

import trtnet
from trtnet import models
from trtnet.support.errors import ModelError, WeightsError
from trtnet.tools.targets.networks import redefined
from trtnet.tools.targets.weights_choice import WeightsChoice

FORMS = {"stem": "space_to_depth", "pointwise": {"layer4.*": "neutral"}}


def written(path: Path, weights: dict[str, np.ndarray]) -> WeightsChoice:
    save_file(weights, path)
    return WeightsChoice(str(path))


@pytest.mark.parametrize("batch", ["batch", 2])
def test_a_model_of_the_zoo_has_the_same_weights_again(batch: int | str, tmp_path: Path) -> None:
    first, second = (random_weights(models.resnet18(num_classes=7), seed) for seed in (0, 1))
    network = trtnet.define(
        models.resnet18(num_classes=7), {"image": trtnet.Input((batch, 3, 64, 64))}, first,
        dtype={"": "float16", "layer3.1": "float32"}, forms={"stem": "space_to_depth"}, name="resnet18",
    )  # fmt: skip
    again = redefined("resnet18", {"num_classes": 7}, network.describe(), written(tmp_path / "w.safetensors", second))
    ours, theirs = network.weights_by_name(), again.weights_by_name()
    assert {name: (w.shape, w.dtype) for name, w in ours.items()} == {n: (w.shape, w.dtype) for n, w in theirs.items()}
    assert again.forms.chosen == network.forms.chosen and "space_to_depth" in str(network.forms.chosen)
    image = np.random.default_rng(0).standard_normal((2, 3, 64, 64)).astype(np.float16)
    expected = trtnet.define(models.resnet18(num_classes=7), network_inputs(batch), second).reference()(
        image.astype(np.float32)
    )
    assert np.abs(again.reference(exact=True)(image) - expected).max() < 0.05 * np.abs(expected).max()


def network_inputs(batch: int | str) -> dict[str, trtnet.Input]:
    return {"image": trtnet.Input((batch, 3, 64, 64))}


def test_a_live_module_has_the_same_weights_again(tmp_path: Path) -> None:
    module = import_torchvision().models.shufflenet_v2_x0_5(num_classes=5).eval()
    network = trtnet.define(module, {"x": trtnet.Input(("n", 3, 32, 32))})
    weights = {key: value.numpy() for key, value in module.state_dict().items()}
    choice = written(tmp_path / "w.safetensors", weights)
    again = redefined("torchvision:shufflenet_v2_x0_5", {"num_classes": 5}, network.describe(), choice)
    ours, theirs = network.weights_by_name(), again.weights_by_name()
    assert ours.keys() == theirs.keys()
    for name, weight in ours.items():
        np.testing.assert_array_equal(weight.array, theirs[name].array)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    info = trtnet.define(models.lenet(), weights=random_weights(models.lenet(), 0)).describe()
    choice = written(tmp_path / "w.safetensors", {"conv1.weight": np.ones((1, 1), np.float32)})
    with pytest.raises(WeightsError, match="missing"):
        redefined("lenet", {}, info, choice)
    with pytest.raises(ModelError, match="unknown model 'lenett'"):
        redefined("lenett", {}, info, choice)
