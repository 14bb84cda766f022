"""What `trtnet quantize` reads and writes: data that is none, folders of other checkpoints, and its configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.comparing import relative_l2
from helpers.definition.quantized_networks import Perceptron, perceptron_weights

import trtnet
from trtnet import nn
from trtnet.checkpoint.quantized.quantization import quantization_of
from trtnet.support.errors import CheckpointError, InputError

RNG = np.random.default_rng(7)
INPUTS = {"x": trtnet.Input(("n", 8))}
DATA = {"x": RNG.standard_normal((16, 8)).astype(np.float32)}
WEIGHTS = perceptron_weights(8, 12)


def quantize(out: Path, data: Any = DATA, **options: Any) -> Any:
    return trtnet.quantize(Perceptron(8, 12), data, out, INPUTS, WEIGHTS, **options)


def test_a_folder_keeps_the_configuration_of_its_other_checkpoints(tmp_path: Path) -> None:
    first = tmp_path / "first.safetensors"
    quantize(first)
    trtnet.checkpoint.save_safetensors(tmp_path / "floats.safetensors", WEIGHTS)
    before = (tmp_path / "config.json").read_bytes()
    with pytest.raises(CheckpointError, match=r"config.json is there already, and says how first.safetensors is quant"):
        quantize(tmp_path / "second.safetensors", scheme="fp8")
    assert (tmp_path / "config.json").read_bytes() == before
    quantize(first, scheme="fp8")  # it may be written again
    assert str(quantization_of(first)).startswith("compressed-tensors: 2 of float8_e4m3fn")


@pytest.mark.parametrize("said", [{"model_type": "llama", "quantization_config": {"quant_method": "awq"}}, {}, [1]])
def test_a_published_configuration_is_not_replaced(said: Any, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(said))
    with pytest.raises(
        CheckpointError, match=r"config.json is there already, of another checkpoint: write to a folder"
    ):
        quantize(tmp_path / "model.safetensors")
    assert json.loads((tmp_path / "config.json").read_text()) == said


def test_a_folder_that_is_not_there_is_said_before_anything_is_calibrated(tmp_path: Path) -> None:
    told: list[str] = []
    with pytest.raises(CheckpointError, match=r"there is no folder .*out: make it first"):
        quantize(tmp_path / "out" / "model.safetensors", tell=told.append)
    assert told == []


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
        (3, {}, "data is arrays of samples by input, an .npz file or a folder of them; found int"),
        ([DATA["x"]], {}, "found list"),
        ({"x": np.float32(3)}, {}, "the input x has samples along its first axis, found one number"),
        (DATA, {"batch": 0}, "a call has at least one sample, found the batch 0"),
        (DATA, {"batch": 1.5}, r"found the batch 1\.5"),
    ],
)
def test_data_that_is_none_is_refused(data: Any, options: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        quantize(tmp_path / "model.safetensors", data, **options)


class Chain(nn.Module):
    """Two products of which the first has one row, or one block of columns."""

    def __init__(self, columns: int, rows: int) -> None:
        self.fc1, self.fc2 = nn.Linear(columns, rows, bias=False), nn.Linear(rows, 5, bias=False)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return self.fc2(self.fc1(x))


@pytest.mark.parametrize(
    ("scheme", "columns", "rows", "strategy"),
    [("int8", 8, 1, "channel"), ("fp8_channel", 8, 1, "channel"), ("fp8", 8, 1, "tensor"),
     ("int4_weights", 128, 256, "group"), ("int4_weights", 128, 128, "channel")],
)  # fmt: skip
def test_the_configuration_is_that_of_all_weights(
    scheme: str, columns: int, rows: int, strategy: str, tmp_path: Path
) -> None:
    weights = {
        "fc1.weight": RNG.standard_normal((rows, columns)).astype(np.float32),
        "fc2.weight": RNG.standard_normal((5, rows)).astype(np.float32),
    }
    inputs, x = {"x": trtnet.Input(("n", columns))}, RNG.standard_normal((4, columns)).astype(np.float32)
    out = tmp_path / "model.safetensors"
    trtnet.quantize(Chain(columns, rows), {"x": x}, out, inputs, weights, scheme=scheme)
    said = json.loads((tmp_path / "config.json").read_text())["quantization_config"]["config_groups"]["group_0"]
    assert said["weights"]["strategy"] == strategy
    network = trtnet.define(Chain(columns, rows), inputs, out, quantization="checkpoint")
    floats = x @ weights["fc1.weight"].T @ weights["fc2.weight"].T
    assert 0 < relative_l2(network.reference()(x), floats) < 0.3
