"""What the choke point leaves in TensorRT's network: names, metadata, weights, and no layer too many."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from helpers.comparing import network_of, relative_l2

import trtnet
from trtnet import models, nn, ops
from trtnet.graph import Dim
from trtnet.support import provenance
from trtnet.support.errors import WeightsError

X = {"x": trtnet.Input(("n", 3, 8))}


def layers(network: trtnet.DefinedNetwork) -> list[Any]:
    return [network.trt.get_layer(i) for i in range(network.trt.num_layers)]


def types(network: trtnet.DefinedNetwork) -> list[str]:
    return [layer.type.name for layer in layers(network)]


def test_layers_are_named_by_module_and_carry_the_line() -> None:
    state = {key: np.ones(p.shape, np.float32) for key, p in models.lenet().named_parameters()}
    network = trtnet.define(models.lenet(), weights=state)
    names = [layer.name for layer in layers(network)]
    assert len(names) == len(set(names))
    assert "conv1/convolution" in names
    (found,) = provenance.read(layers(network)[0].metadata)
    assert found.module == "conv1"
    assert found.source.startswith("models/lenet.py:")


def test_weights_carry_their_checkpoint_keys() -> None:
    state = {key: np.ones(p.shape, np.float32) for key, p in models.lenet().named_parameters()}
    network = trtnet.define(models.lenet(), weights=state)
    named = {w.key for w in network._alive.values() if w.key}
    assert named == set(state)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x.flatten(1), ["SHUFFLE"]),
        (lambda x: x.reshape(x.shape[0], 2, 12), ["SHUFFLE"]),
        (lambda x: x.reshape(-1, 24), ["SHUFFLE"]),
        (lambda x: x.reshape(x.shape), []),
        (lambda x: x.reshape(x.shape[0] * 3, 8), ["SHUFFLE"]),
        (lambda x: x[:], []),
        (lambda x: x[:, 0:2], ["SLICE"]),
        (lambda x: x[:, 0:0], ["SLICE"]),
        (lambda x: x.permute(0, 1, 2), []),
        (lambda x: x.to("float32"), []),
        (lambda x: x + 1, ["CONSTANT", "ELEMENTWISE"]),
        (lambda x: (x + 1) * 1, ["CONSTANT", "ELEMENTWISE", "ELEMENTWISE"]),
        (lambda x: x.unsqueeze(0).squeeze(0), ["SHUFFLE", "SHUFFLE"]),
    ],
)
def test_no_layer_without_need(function: Any, expected: list[str]) -> None:
    network = network_of(lambda x: function(x) * 2 if not expected else function(x), X)
    found = types(network)
    assert sorted(found) == sorted(expected or ["CONSTANT", "ELEMENTWISE"])


def test_sizes_are_ints_or_named_dims() -> None:
    shapes: list[Any] = []

    def function(x: trtnet.Tensor, y: trtnet.Tensor) -> trtnet.Tensor:
        z = (x + y).reshape(x.shape[0], -1)
        shapes.extend([x.shape, z.shape, (x.shape[0] * 2).name, x.shape[0] == y.shape[0]])
        return ops.relu(z)

    network = network_of(function, {"x": trtnet.Input(("n", 3, 8)), "y": trtnet.Input(("n", 1, 8))})
    assert isinstance(shapes[0][0], Dim)
    assert [str(size) for size in shapes[0]] == ["n", "3", "8"]
    assert [str(size) for size in shapes[1]] == ["n", "24"]
    assert shapes[2:] == ["(n * 2)", True]
    assert network.trt.get_input(1).get_dimension_name(0) == "n"


def test_dim_arithmetic_is_computed_at_run_time() -> None:
    def function(x: trtnet.Tensor) -> tuple[trtnet.Tensor, ...]:
        n = x.shape[0]
        return x * n, x[: n // 2], x[n % 2 :], x.expand(n, 3, 8).reshape(n * 3 // 1, 8)

    reference = network_of(function, X).reference()
    for n in (2, 5):
        x = torch.randn(n, 3, 8)
        scaled, half, rest, flat = reference(x).values()
        assert relative_l2(scaled, x * n) < 1e-6
        assert torch.equal(half, x[: n // 2])
        assert torch.equal(rest, x[n % 2 :])
        assert torch.equal(flat, x.reshape(n * 3, 8))


def test_outputs_by_name_order_and_identity() -> None:
    network = network_of(lambda x: {"a": x, "b": x + 1, "c": x}, X)
    assert list(network.outputs) == ["a", "b", "c"]
    x = torch.randn(2, 3, 8)
    outputs = network.reference()(x)
    assert torch.equal(outputs["a"], x) and torch.equal(outputs["c"], x) and torch.equal(outputs["b"], x + 1)


def test_an_output_may_have_the_name_of_a_layer() -> None:
    """And layers, which are named after operations, keep theirs."""

    def forward(x: Any) -> dict[str, Any]:
        return {"mean": x.relu().mean(1), "relu": x.mean(1, keepdim=True), "relu_1": (-x).relu(), "sum": x.sum(1)}

    network = network_of(forward, {"x": trtnet.Input((2, 3))})
    x = np.array([[1, -2, 4], [0, 5, -8]], np.float32)
    found = network.reference()(x)
    wanted = {"mean": [5 / 3, 5 / 3], "relu": [[1], [-1]], "relu_1": np.maximum(-x, 0), "sum": [3, -3]}
    for name, values in wanted.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-6)
    assert {"relu", "relu_1", "sum"} < {layer.name for layer in layers(network)}
    tensors = [layer.get_output(0).name for layer in layers(network)]
    assert len(tensors) == len(set(tensors)) and set(wanted) < set(tensors)
    assert [info.name for info in network.build().info.outputs] == [*wanted]


def test_a_shared_module_shares_its_weights() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            self.first = nn.Linear(8, 8)
            self.second = self.first

        def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
            return self.second(self.first(x))

    linear = torch.nn.Linear(8, 8)
    state = {f"first.{key}": value for key, value in linear.state_dict().items()}
    state |= {f"second.{key}": value for key, value in linear.state_dict().items()}
    network = trtnet.define(Shared(), X, state)
    assert types(network).count("CONSTANT") == 2
    x = torch.randn(2, 3, 8)
    with torch.inference_mode():
        assert relative_l2(network.reference()(x), linear(linear(x))) < 1e-6
    others = ({"second.bias": torch.zeros(8)}, {"second.bias": torch.zeros(3)}, {"second.bias": torch.zeros(8).half()})
    for other in others:
        with pytest.raises(WeightsError, match=r"first.bias and second.bias are one weight of the model"):
            trtnet.define(Shared(), X, state | other)


def test_inputs_of_another_float_dtype_are_cast_where_they_enter() -> None:
    network = network_of(lambda x: x * 2, {"x": trtnet.Input((2, 3), "float32")}, dtype="float16")
    assert types(network)[0] == "CAST"
    found = network.reference()(torch.ones(2, 3))
    assert found.dtype == torch.float16


def test_bfloat16_weights_arrive_exactly() -> None:
    exact = torch.tensor([[1e-30, 3e38, 1.0078125, -65536.0]], dtype=torch.bfloat16)

    class Scale(nn.Module):
        def __init__(self) -> None:
            self.scale = nn.Parameter(1, 4)

        def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
            return self.scale * x

    network = trtnet.define(Scale(), {"x": trtnet.Input(("n", 4))}, {"scale": exact}, dtype="bfloat16")
    assert torch.equal(network.reference()(torch.ones(3, 4, dtype=torch.bfloat16)), exact.expand(3, 4))
    network.build({"n": 2})


def test_integer_weights_keep_their_dtype() -> None:
    class Offsets(nn.Module):
        def __init__(self) -> None:
            self.offsets = nn.Parameter(3, dtype="int64")

        def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
            return x + self.offsets

    offsets = torch.tensor([1, 2**40, -3])
    network = trtnet.define(Offsets(), {"x": trtnet.Input((2, 3), "int64")}, {"offsets": offsets}, dtype="float16")
    assert torch.equal(network.reference()(torch.zeros(2, 3, dtype=torch.int64)), offsets.expand(2, 3))
