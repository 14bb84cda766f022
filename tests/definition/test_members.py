"""A live PyTorch module as a member of a trtnet Module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch

import trtnet
from trtnet import nn, ops

X = {"x": trtnet.Input(("batch", 3))}


class Body(torch.nn.Module):
    """Results in a structure, a weight that is computed with, one that is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(3, 4)
        self.gain = torch.nn.Parameter(torch.rand(4))
        self.again = torch.nn.Sequential(self.linear)

    def forward(self, x: torch.Tensor) -> dict[str, Any]:
        return {"a": self.linear(x), "b": [self.again(x) * 2 + self.gain.exp().sum()]}


class Whole(nn.Module):
    def __init__(self, body: torch.nn.Module) -> None:
        self.body = trtnet.TorchModule(body)
        self.fc = nn.Linear(4, 2)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        y = self.body(x)
        return self.fc(ops.relu(y["a"])) + y["b"][0].sum(1, keepdim=True)


def expected(body: torch.nn.Module, fc: torch.nn.Module, x: torch.Tensor) -> np.ndarray[Any, Any]:
    y = body(x)
    return (fc(torch.relu(y["a"])) + y["b"][0].sum(1, keepdim=True)).detach().numpy()


def keyed(prefix: str, module: torch.nn.Module) -> Mapping[str, torch.Tensor]:
    return {f"{prefix}.{key}": tensor for key, tensor in module.state_dict().items()}


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_it_brings_its_own_weights(dtype: str) -> None:
    body, fc, x = Body().eval(), torch.nn.Linear(4, 2), torch.randn(2, 3)
    network = trtnet.define(Whole(body), X, keyed("fc", fc), dtype=dtype)
    found = network.reference()(x.numpy().astype(dtype))
    np.testing.assert_allclose(found, expected(body, fc, x), rtol=1e-5 if dtype == "float32" else 2e-2, atol=1e-2)
    names = [network.trt.get_layer(i).name for i in range(network.trt.num_layers)]
    assert "body.linear/matmul" in names and "fc/matmul" in names
    assert network.folded == {"body.gain"} and "body.linear.weight" in network.named


def test_one_that_was_trained_since_is_an_error() -> None:
    body, other, fc = Body().eval(), Body().eval(), torch.nn.Linear(4, 2)
    network = trtnet.define(Whole(body), X, keyed("fc", fc))
    given = trtnet.define(
        Whole(body), X, keyed("fc", fc) | {f"body.{key}": each.detach() for key, each in other.named_parameters()}
    )
    with torch.no_grad():
        body.gain.add_(1)
    with pytest.raises(trtnet.ModelError, match=r"^body\.gain of the PyTorch module has been written to since"):
        network.reference()
    assert given.reference(), "its weights are those that were given"


def test_a_checkpoint_that_has_keys_of_it_has_all() -> None:
    body, other, fc, x = Body().eval(), Body().eval(), torch.nn.Linear(4, 2), torch.randn(2, 3)
    weights = {**keyed("fc", fc), "body.gain": body.gain.detach(), **keyed("body.linear", other.linear)}
    network = trtnet.define(Whole(body), X, weights)
    other.gain = body.gain
    np.testing.assert_allclose(network.reference()(x.numpy()), expected(other, fc, x), rtol=1e-5)
    with pytest.raises(trtnet.WeightsError, match=r"body\.linear\.weight"):
        trtnet.define(Whole(body), X, keyed("fc", fc) | {"body.gain": body.gain.detach()})
    with pytest.raises(trtnet.WeightsError, match=r"fc\.weight"):
        trtnet.define(Whole(body), X)


def test_a_member_without_it_is_an_error_that_names_it() -> None:
    class Bare(nn.Module):
        def __init__(self) -> None:
            self.body = Body()

    with pytest.raises(trtnet.ModelError, match=r"take it as it is: trtnet\.TorchModule\(module\)"):
        Bare()


def test_a_member_in_training_mode_is_refused() -> None:
    with pytest.raises(trtnet.ModelError, match=r"Body is in training mode"):
        Whole(Body())


class Mixed(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return ops.nms(x, x[:, 0], 0.5, 3)[0]


def test_operations_of_trtnet_belong_into_modules_of_trtnet() -> None:
    with pytest.raises(trtnet.ModelError, match=r"ops\.nms takes .* calls torch's functions; .* trtnet\.TorchModule"):
        trtnet.define(Mixed().eval(), {"x": trtnet.Input((8, 4))})
