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


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": np.ones((4, 7), np.float32)}, r"b.npz: input x \[n, 8\] float32: found \[4, 7\] float32"),
        ({"x": np.ones((4, 8, 1), np.float32)}, r"b.npz: input x \[n, 8\] float32 has 2 dimensions; found \[4, 8, 1\]"),
        ({"x": np.ones((4, 8))}, r"b.npz: input x .*: found \[4, 8\] float64; convert it first"),
        ({"x": np.ones((0, 8), np.float32)}, r"b.npz: .* the same number of samples, at least one; found 0 of x"),
        ({}, r"b.npz does not have the input x; it has no arrays"),
    ],
)
def test_samples_that_do_not_fit_are_said_with_their_file(arrays: Any, words: str, tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir(), out.mkdir()
    np.savez(data / "a.npz", **DATA)
    np.savez(data / "b.npz", **arrays)
    with pytest.raises(InputError, match=words):
        quantize(out / "model.safetensors", data)
    assert not any(out.iterdir())


def test_other_files_of_a_folder_are_left_out_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir(), out.mkdir()
    np.save(data / "x.npy", DATA["x"])
    with pytest.raises(InputError, match=r"the folder .*data has no \.npz files; it has x\.npy"):
        quantize(out / "model.safetensors", data)
    np.savez(data / "a.npz", **DATA, label=np.arange(16))
    (data / "b.npz").mkdir()
    (data / ".hidden").touch()
    quantize(out / "model.safetensors", data)
    assert "only .npz files are data; left out: b.npz, x.npy" in caplog.text


class Named(nn.Module):
    inputs = {"ids": trtnet.Input(("n", 3), "int64"), "x": trtnet.Input(("n", 8))}

    def __init__(self) -> None:
        self.table, self.fc = nn.Embedding(5, 8), nn.Linear(8, 4)

    def forward(self, ids: trtnet.Tensor, x: trtnet.Tensor) -> trtnet.Tensor:
        return self.fc(self.table(ids).sum(1) + x)


def test_indices_that_no_table_has_are_said_with_their_file(tmp_path: Path) -> None:
    weights = {key: np.ones(each.shape, np.float32) for key, each in Named().named_parameters()}
    ids = np.arange(48).reshape(16, 3) % 6
    np.savez(tmp_path / "a.npz", ids=ids, **DATA)
    with pytest.raises(InputError, match=r"a\.npz: input ids .*: the index 5 is out of range: its table has 5 rows"):
        trtnet.quantize(Named(), tmp_path / "a.npz", tmp_path / "q.safetensors", weights=weights)
    np.savez(tmp_path / "a.npz", ids=ids[:4], **DATA)
    with pytest.raises(InputError, match=r"a\.npz: the inputs have the same .*; found 4 of ids, 16 of x"):
        trtnet.quantize(Named(), tmp_path / "a.npz", tmp_path / "q.safetensors", weights=weights)


class Timed(nn.Module):
    inputs = {"x": trtnet.Input(("n", 8)), "t": trtnet.Input(())}

    def __init__(self) -> None:
        self.fc = nn.Linear(8, 4)

    def forward(self, x: trtnet.Tensor, t: trtnet.Tensor) -> trtnet.Tensor:
        return self.fc(x * t)


def test_an_input_that_is_one_number_has_one_for_all_samples_or_for_each(tmp_path: Path) -> None:
    weights = {key: np.ones(each.shape, np.float32) for key, each in Timed().named_parameters()}

    def largest(t: Any, batch: int = 4) -> float:
        data = {**DATA, "t": t}
        found = trtnet.quantize(Timed(), data, tmp_path / "q.safetensors", weights=weights, batch=batch, method="max")
        return float(found.rows[0].largest)

    seen = np.abs(DATA["x"]).max(1)
    each = np.arange(1, 17, dtype=np.float32)
    assert largest(np.float32(3)) == pytest.approx(3 * seen.max())
    assert largest(each, 1) == pytest.approx((each * seen).max())
    with pytest.raises(
        InputError, match=r"the input t \[\] float32 is one number in a call of 4 samples: give one for"
    ):
        largest(each)
    with pytest.raises(InputError, match=r"sample 0 \(from 0\) of the input t has NaN"):
        largest(np.float32(np.nan))


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
