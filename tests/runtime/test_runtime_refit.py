"""Refitting: all weights by their names or none, on a fake refitter."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from helpers.runtime.fakes import Opener

import trtnet
from trtnet import nn, ops
from trtnet.builder import BuildConfig, Plan
from trtnet.runtime import Engine
from trtnet.support.backend import name, trt
from trtnet.support.errors import BuildError, PlanError, TrtnetError, WeightsError

WEIGHTS = {"weight": np.ones((2, 3), np.float32), "bias": np.zeros(2, np.float32)}
INPUTS = {"x": trtnet.Input(("n", 3))}


class Refitter:
    """Remembers what it is given. fails: what shall fail."""

    fails = ""
    given: dict[str, np.ndarray] = {}

    def __init__(self, engine: Any, logger: Any) -> None:
        self.engine = engine
        Refitter.given = {}

    def get_weights_prototype(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(dtype=trt.DataType.FLOAT, size=WEIGHTS[name].size)

    def set_named_weights(self, name: str, weights: Any) -> bool:
        Refitter.given[name] = np.array(weights.numpy())
        return Refitter.fails != "set"

    def get_missing_weights(self) -> list[str]:
        return ["a constant"] if Refitter.fails == "missing" else []

    def refit_cuda_engine(self) -> bool:
        self.engine.create_serialization_config = SerializationConfig
        self.engine.serialize_with_config = lambda config: b"another plan" if config.whole() else b"no weights"
        return Refitter.fails != "refit"


class OfNetwork(Refitter):
    """Knows the weights of a network that was built, by their names."""

    weights: dict[str, Any] = {}

    def get_all_weights(self) -> list[str]:
        return list(self.weights)

    def get_weights_prototype(self, name: str) -> SimpleNamespace:
        weight = self.weights[name]
        return SimpleNamespace(dtype=weight.dtype.trt, size=weight.array.size)


class SerializationConfig:
    """TensorRT's, as a stripped engine makes it: without the weights unless the flag is cleared."""

    def __init__(self) -> None:
        self.flags = {trt.SerializationFlag.EXCLUDE_WEIGHTS}

    def set_flag(self, flag: Any) -> None:
        self.flags.add(flag)

    def clear_flag(self, flag: Any) -> None:
        self.flags.discard(flag)

    def whole(self) -> bool:
        return self.flags == {trt.SerializationFlag.INCLUDE_REFIT}


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setattr(trt, "Refitter", Refitter)
    monkeypatch.setattr(Refitter, "fails", "")
    network = trtnet.define(nn.Linear(3, 2), INPUTS, WEIGHTS)
    plan = network.build({"n": (1, 2, 4)}).plan
    return Engine(
        Plan(plan.data, replace(plan.info, refittable=tuple(sorted(network.named)))), Opener(network.reference())
    )


def test_all_weights_are_replaced(engine: Engine) -> None:
    before, session = engine.plan, engine.session()
    engine.refit({"weight": np.full((2, 3), 2, np.float16), "bias": np.ones(2, np.float32)})
    assert {key: array.tolist() for key, array in Refitter.given.items()} == {"weight": [2.0] * 6, "bias": [1.0] * 2}
    assert engine.plan.data == b"another plan" and engine.info.checkpoint_digest != before.info.checkpoint_digest
    assert engine.session() is not session


@pytest.mark.parametrize(
    ("weights", "text"),
    [
        ({"weight": np.ones((2, 3), np.float32)}, "missing: bias"),
        (WEIGHTS | {"extra": np.ones(1, np.float32)}, "unexpected: extra"),
        (WEIGHTS | {"bias": np.ones(3, np.float32)}, r"bias: 2 elements in the engine, \[3\] here"),
        (WEIGHTS | {"bias": np.full(2, 1e300)}, "do not fit float32"),
    ],
)
def test_what_does_not_fit_replaces_nothing(engine: Engine, weights: dict[str, np.ndarray], text: str) -> None:
    before = engine.plan
    with pytest.raises(WeightsError, match=text):
        engine.refit(weights)
    assert engine.plan is before


def test_weights_that_are_not_finite_are_named_as_in_define(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    engine.refit(WEIGHTS | {"bias": np.float32([0, np.nan])})
    assert "1 tensor has NaN or infinite values: bias (1 NaN of 2)" in caplog.text


@pytest.mark.parametrize(
    ("fails", "text"),
    [("set", "refused the new weight"), ("missing", "have no checkpoint key: a constant"), ("refit", "did not refit")],
)
def test_what_tensorrt_refuses_replaces_nothing(engine: Engine, fails: str, text: str) -> None:
    before, Refitter.fails = engine.plan, fails
    with pytest.raises(TrtnetError, match=text):
        engine.refit(WEIGHTS)
    assert engine.plan is before


def test_engines_that_cannot_be_refitted() -> None:
    network = trtnet.define(nn.Linear(3, 2), INPUTS, WEIGHTS)
    with pytest.raises(PlanError, match=r"not built for refit: build it with BuildConfig\(refit=True\)"):
        network.build({"n": 1}).refit(WEIGHTS)
    assert network.named == {"weight", "bias"} and not network.folded


def test_a_stripped_plan_gets_its_weights_when_it_is_loaded(engine: Engine) -> None:
    engine.plan = Plan(engine.plan.data, replace(engine.info, stripped=True))
    with pytest.raises(PlanError, match=r"stripped of its weights: trtnet\.load\(path, weights=\.\.\.\)"):
        engine.session()
    engine.refit(WEIGHTS)
    assert not engine.info.stripped and engine.session() is not None


def test_folded_weights_are_named() -> None:
    from trtnet.builder import PlanInfo
    from trtnet.runtime.loaded.refit import check_refittable

    class Model(nn.Module):
        def __init__(self) -> None:
            self.bn = nn.BatchNorm2d(2)

        def forward(self, x: Any) -> Any:
            return ops.relu(self.bn(x))

    weights = {f"bn.{key}": np.ones(2, np.float32) for key in ("weight", "bias", "running_mean", "running_var")}
    network = trtnet.define(Model(), {"x": trtnet.Input((1, 2, 3, 3))}, weights)
    assert network.folded == set(weights)
    info = PlanInfo("b", "1", (), (), (), refittable=("w",), folded=tuple(sorted(network.folded)))
    with pytest.raises(PlanError, match=r"the engine has folded 4 weights into others .*bn\.bias, bn\.running_mean, "):
        check_refittable(info)


def convolution(seed: int, channels: int = 2) -> trtnet.DefinedNetwork:
    """A convolution with a batch norm folded into it, and a constant of the model."""
    original = torch.nn.Sequential(torch.nn.Conv2d(1, channels, 3), torch.nn.BatchNorm2d(channels)).eval()
    torch.manual_seed(seed)
    for parameter in original.parameters():
        torch.nn.init.uniform_(parameter, 0.5, 1.5)
    return trtnet.define(original, {"x": torch.zeros(1, 1, 4, 4)})


@pytest.fixture
def folded(monkeypatch: pytest.MonkeyPatch) -> Engine:
    network = convolution(0)
    monkeypatch.setattr(trt, "Refitter", OfNetwork)
    monkeypatch.setattr(OfNetwork, "fails", "")
    monkeypatch.setattr(OfNetwork, "weights", network.weights_by_name())
    plan = network.build().plan
    info = replace(plan.info, refittable=tuple(sorted(network.named)), folded=tuple(network.folded))
    return Engine(Plan(plan.data, info), Opener(network.reference()))


def test_a_network_defined_again_brings_folded_weights(folded: Engine) -> None:
    other = convolution(1)
    folded.refit(other)
    assert folded.plan.data == b"another plan"
    assert folded.info.checkpoint_digest == other.describe().checkpoint_digest
    assert set(Refitter.given) == {"0/convolution:kernel", "0/convolution:bias"}
    for key, weight in other.weights_by_name().items():
        np.testing.assert_array_equal(Refitter.given[key], weight.array.ravel())


def test_another_network_is_refused(folded: Engine) -> None:
    before = folded.plan
    with pytest.raises(PlanError, match=r"0/convolution:bias is 2 elements of float32 in the engine, 3 of float32"):
        folded.refit(convolution(1, channels=3))
    network = trtnet.define(nn.Linear(3, 2), INPUTS, WEIGHTS)
    with pytest.raises(PlanError, match=r"has no weight '0/convolution:bias', nor 1 others. Define it with the same"):
        folded.refit(network)
    assert folded.plan is before


@pytest.mark.skipif(name() != "tensorrt_rtx", reason="TensorRT has a GPU wherever it builds")
def test_building_for_refit_needs_a_gpu_on_tensorrt_rtx() -> None:
    from helpers.gpus import why_no_gpu

    if not why_no_gpu():
        pytest.skip("there is a GPU")
    network = trtnet.define(nn.Linear(3, 2), INPUTS, WEIGHTS)
    with pytest.raises(BuildError, match="builds engines for refit only where there is a GPU"):
        network.build({"n": 1}, BuildConfig(refit=True))
