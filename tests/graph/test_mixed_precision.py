"""Modules of another dtype than the rest of the model: weights, casts at the boundary, the sidecar."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.comparing import random_weights, relative_l2

import trtnet
from trtnet import nn, ops
from trtnet.runtime.execution.context_options import specializes
from trtnet.support.errors import ModelError


class Block(nn.Module):
    """Adds 40,000 twice and subtracts it again: more than float16 holds in between."""

    def __init__(self) -> None:
        self.up = nn.Linear(4, 4)
        self.down = nn.Linear(4, 4)

    def forward(self, x: Any) -> Any:
        return self.down(self.up(x))


class Model(nn.Module):
    inputs = {"x": trtnet.Input(("batch", 4))}

    def __init__(self) -> None:
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.blocks = nn.Sequential(*(Block() for _ in range(2)))

    def forward(self, x: Any) -> Any:
        return ops.relu(self.second(self.first(self.blocks(x))))


def weights() -> dict[str, np.ndarray[Any, Any]]:
    arrays = random_weights(Model())
    for key in arrays:
        if key.startswith("blocks"):
            arrays[key] = np.eye(4, dtype=np.float32) * (1e5 if "up" in key else 1e-5)
            arrays[key] = arrays[key] if key.endswith("weight") else np.zeros(4, np.float32)
    return arrays


X = np.linspace(0.5, 2, 8, dtype=np.float32).reshape(2, 4)
BLOCKS = {"": "float16", "blocks.0": "float32", "blocks.1": "float32"}


def dtypes_of(network: trtnet.DefinedNetwork, kind: str) -> dict[str, str]:
    layers = (network.trt.get_layer(i) for i in range(network.trt.num_layers))
    return {x.name: x.get_output(0).dtype.name for x in layers if kind in x.name}


def test_weights_and_tensors_have_the_dtype_of_the_longest_path() -> None:
    network = trtnet.define(Model(), weights=weights(), dtype=BLOCKS | {"second": "bfloat16"})
    found = {name.rpartition("/")[0]: dtype for name, dtype in dtypes_of(network, "/matmul").items()}
    assert found == {
        **dict.fromkeys(["blocks.0.up", "blocks.0.down", "blocks.1.up", "blocks.1.down"], "FLOAT"),
        "first": "HALF",
        "second": "BF16",
    }
    assert network.outputs["output"].dtype.name == "float16"


def test_values_that_float16_does_not_hold_pass_through_float32_modules() -> None:
    exact = trtnet.define(Model(), weights=weights()).reference()(X)
    mixed = trtnet.define(Model(), weights=weights(), dtype=BLOCKS).reference()(X.astype(np.float16))
    assert relative_l2(mixed, exact) <= 2e-3


def test_between_two_float32_modules_nothing_is_rounded() -> None:
    """up and down are float32, the block around them float16: what passes between them is 1e5, beyond float16."""
    parts = {f"blocks.{i}.{name}": "float32" for i in range(2) for name in ("up", "down")}
    network = trtnet.define(Model(), weights=weights(), dtype={"": "float16", **parts})
    found = network.reference()(X.astype(np.float16))
    assert np.isfinite(found).all()
    assert relative_l2(found, trtnet.define(Model(), weights=weights()).reference()(X)) <= 2e-3


def test_a_shared_weight_in_two_dtypes_is_there_in_both_and_refit_knows_that_it_would_miss_one() -> None:
    class Tied(nn.Module):
        inputs = {"x": trtnet.Input((2, 4))}

        def __init__(self) -> None:
            self.a, self.b = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
            self.b.weight = self.a.weight

        def forward(self, x: Any) -> Any:
            return self.b(self.a(x))

    w = {"a.weight": random_weights(nn.Linear(4, 4))["weight"]}
    network = trtnet.define(Tied(), weights=w, dtype={"": "float16", "b": "float32"})
    expected = torch.from_numpy(X) @ torch.from_numpy(w["a.weight"] @ w["a.weight"]).T
    assert relative_l2(network.reference()(X.astype(np.float16)), expected) <= 2e-3
    assert network.named == {"a.weight"} and network.folded == {"a.weight"}


def test_a_path_without_a_module_is_an_error_with_the_nearest() -> None:
    with pytest.raises(ModelError, match=r"no module 'blocks\.3'; the nearest are blocks"):
        trtnet.define(Model(), weights=weights(), dtype={"": "float16", "blocks.3": "float32"})
    with pytest.raises(ModelError, match="whole model"):
        trtnet.define(Model(), weights=weights(), dtype={"blocks": "float32"})


def test_the_sidecar_records_it(tmp_path: Path) -> None:
    network = trtnet.define(Model(), weights=weights(), dtype=BLOCKS)
    network.build({"batch": (1, 2, 4)}).save(tmp_path / "m.engine")
    info = trtnet.load(tmp_path / "m.engine").info
    assert info.dtype == "float16" and info.dtypes == {"blocks.0": "float32", "blocks.1": "float32"}


def test_float32_modules_in_a_dynamic_float16_network_count_as_float32_for_kernels_of_seen_shapes() -> None:
    network = trtnet.define(Model(), weights=weights(), dtype=BLOCKS)
    assert not specializes(network.build({"batch": (1, 2, 4)}).info)
    assert specializes(network.build({"batch": 2}).info)
    assert specializes(
        trtnet.define(Block(), Model.inputs, random_weights(Block()), dtype="float16").build({"batch": (1, 2, 4)}).info
    )
