"""Operations of one's own: decomposed where there are no plugins, a layer where there are, executed in both cases.

No backend that can be installed here has plugins, so an identity layer plays the plugin's.
"""

from __future__ import annotations

import importlib
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from helpers.comparing import network_of, random_tensor

import trtnet
from trtnet import ops
from trtnet.reference import Reference, schedule, table
from trtnet.support.errors import ExecutionError, LayerError

module = importlib.import_module("trtnet.ops.custom_operation")


@ops.custom(plugin=ops.Plugin("ScaledSwish", version="2", namespace="mine"))
def scaled_swish(x: Any, *, beta: float = 1.0) -> Any:
    """x * sigmoid(beta * x)."""
    return x * ops.sigmoid(x * beta)


def test_the_decomposition_stands_where_there_are_no_plugins() -> None:
    network = network_of(lambda x: scaled_swish(x, beta=2.0), {"x": trtnet.Input(("n", 3))})
    x = random_tensor(2, 3)
    assert torch.allclose(network.reference()(x), x * torch.sigmoid(2 * x))
    network.build({"n": (1, 2, 4)})
    assert scaled_swish.__doc__ == "x * sigmoid(beta * x)."


class Creator:
    """Plays a plugin's creator, and the rest of TensorRT's plugin API."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def get_creator(self, *name: str) -> Creator | None:
        self.asked.append(name)
        return self if name[0] == "ScaledSwish" else None

    def create_plugin(self, name: str, fields: list[Any], phase: Any) -> str:
        self.asked.append((name, fields, phase))
        return "the plugin"

    def api(self) -> SimpleNamespace:
        return SimpleNamespace(
            get_plugin_registry=lambda: self,
            PluginFieldCollection=list,
            PluginField=lambda name, data, kind: (name, data.tolist(), kind),
            PluginFieldType=SimpleNamespace(FLOAT32="FLOAT32", INT32="INT32"),
            TensorRTPhase=SimpleNamespace(BUILD="BUILD"),
        )


@pytest.fixture
def creator(monkeypatch: pytest.MonkeyPatch) -> Creator:
    """A backend with plugins, as far as operations see; their layers are identity layers."""
    add = trtnet.graph.Network.add

    def played(network: Any, method: str, arguments: Any, **options: Any) -> Any:
        if method == "plugin_v3":
            assert arguments["plugin"] == "the plugin" and arguments["shape_inputs"] == []
            method, arguments = "identity", {"input": arguments["inputs"][0]}
        return add(network, method, arguments, **options)

    made = Creator()
    monkeypatch.setattr(module, "supports", lambda feature: feature == "plugins")
    monkeypatch.setattr(module, "trt", made.api())
    monkeypatch.setattr(trtnet.graph.Network, "add", played)
    monkeypatch.delitem(table.LAYERS, "IDENTITY")
    monkeypatch.setattr(schedule, "PLUGINS", ("IDENTITY",))
    return made


def test_a_plugin_layer_stands_for_it_and_the_reference_uses_the_decomposition(creator: Creator) -> None:
    network = network_of(lambda x: ops.relu(scaled_swish(x, beta=2.0)), {"x": trtnet.Input(("n", 3))})
    assert creator.asked == [("ScaledSwish", "2", "mine"), ("ScaledSwish", [("beta", [2.0], "FLOAT32")], "BUILD")]
    assert list(network.decompositions) == ["ScaledSwish"]
    for n in (1, 4):
        x = random_tensor(n, 3)
        assert torch.allclose(network.reference()(x), (x * torch.sigmoid(2 * x)).relu())
    with pytest.raises(
        ExecutionError, match=r"the reference does not know what this plugin computes: declare it with ops\.custom"
    ):
        Reference(network.trt, network.weights)(random_tensor(2, 3))


def test_a_plugin_that_is_not_registered_is_decomposed(creator: Creator) -> None:
    @ops.custom(plugin=ops.Plugin("Elsewhere"))
    def doubled(x: Any) -> Any:
        return x + x

    network = network_of(doubled, {"x": trtnet.Input((2,))})
    assert torch.equal(network.reference()(torch.ones(2)), torch.full((2,), 2.0))
    assert creator.asked == [("Elsewhere", "1", "")] and not network.decompositions


def test_fields_that_are_no_numbers(creator: Creator) -> None:
    with pytest.raises(LayerError, match="a plugin's field is a number or an array of numbers, found beta='big'"):
        network_of(lambda x: scaled_swish(x, beta="big"), {"x": trtnet.Input((2,))})


def test_a_quick_plugin_by_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    registered = SimpleNamespace(
        op=SimpleNamespace(mine=SimpleNamespace(half=lambda *a, **k: calls.append((a, k)) or "it"))
    )
    monkeypatch.setattr(module, "supports", lambda feature: True)
    monkeypatch.setattr(module.importlib, "import_module", lambda name: registered)
    add = trtnet.graph.Network.add

    def played(network: Any, method: str, arguments: Any, **options: Any) -> Any:
        if method == "plugin":
            assert arguments == {"tuple": "it"}
            method, arguments = "identity", {"input": network.inputs["x"]}
        return add(network, method, arguments, **options)

    monkeypatch.setattr(trtnet.graph.Network, "add", played)

    @ops.custom(plugin=ops.QuickPlugin("mine::half"))
    def half(x: Any, *, steps: int) -> Any:
        return x / 2

    network = network_of(lambda x: half(x, steps=3), {"x": trtnet.Input((2,))})
    assert calls[0][1] == {"steps": 3} and list(network.decompositions) == ["half"]


@ops.custom()
def without_a_plugin(x: Any, y: Any) -> Any:
    return x + y, x - y


def test_several_operands_and_results_without_a_plugin() -> None:
    network = network_of(without_a_plugin, {"x": trtnet.Input((2,)), "y": trtnet.Input((2,))})
    found = network.reference()(np.ones(2, np.float32), np.ones(2, np.float32))
    assert found["output0"].tolist() == [2, 2] and found["output1"].tolist() == [0, 0]
