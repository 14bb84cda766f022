"""Calibration: ranges of histograms, the data that is fed, and checkpoints that are written and read again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.sentences import SENTENCES, descriptions, encoded, nearest

import trtnet
from trtnet import models, nn, ops
from trtnet.checkpoint import save_safetensors
from trtnet.checkpoint.quantized.quantization import quantization_of
from trtnet.checkpoint.quantized.rounding import best, quantize
from trtnet.definition.quantization import NAMED
from trtnet.support import dtypes
from trtnet.support.call_interface import TensorInfo
from trtnet.support.errors import CheckpointError, InputError, ModelError, TrtnetError
from trtnet.tools.quantize.choosing import SCHEMES
from trtnet.tools.quantize.data import Batches
from trtnet.tools.quantize.ranges import METHODS, Histogram, scale_of
from trtnet.weights import minilm
from trtnet.weights.train_lenet import load_digits_28

RNG = np.random.default_rng(0)
LENET = "trtnet:lenet.safetensors"


# ranges


def seen(values: Any, parts: int = 7) -> Histogram:
    histogram = Histogram()
    for part in np.array_split(values, parts):
        histogram.add(part)
    return histogram


def test_a_histogram_counts_each_value_once_however_its_range_grows() -> None:
    values = np.sort(RNG.standard_normal(10_000).astype(np.float32) ** 3)
    histogram = seen(values)
    assert histogram.counts.sum() == 10_000
    assert histogram.largest == np.abs(values).max() <= histogram.range < 2 * histogram.largest + 1e-6
    exact = np.histogram(np.abs(values), len(histogram.counts), (0, histogram.range))[0]
    assert np.abs(np.cumsum(histogram.counts) - np.cumsum(exact)).max() <= 2  # at edges
    empty = seen(np.array([np.nan, np.inf, 0], np.float32))
    assert (empty.largest, scale_of(empty, dtypes.int8, "mse")) == (0, 1)


def test_outliers_are_cut_by_all_methods_but_max() -> None:
    values = np.concatenate([RNG.standard_normal(200_000), [50.0]]).astype(np.float32)
    found = {method: scale_of(seen(values), dtypes.int8, method) * 127 for method in METHODS}
    assert found["max"] == 50
    assert all(2.5 < found[method] < 6 for method in ("percentile", "entropy")), found
    assert found["mse"] < 40

    def error(amax: float) -> float:
        scale = amax / 127
        return float(((np.clip(np.rint(values / scale), -128, 127) * scale - values) ** 2).sum())

    tried = {amax: error(amax) for amax in np.linspace(1, 50, 99)}
    assert error(found["mse"]) <= 1.05 * min(tried.values())


def test_zeros_do_not_decide_the_entropy() -> None:
    values = np.maximum(RNG.standard_normal(100_000), 0).astype(np.float32)
    assert scale_of(seen(values), dtypes.int8, "entropy") * 127 > 2


def test_weights_have_the_least_squared_error_of_each_block() -> None:
    weight = RNG.standard_normal((8, 64)).astype(np.float32)
    weight[:, 0] = 12
    for dtype, blocks in ((dtypes.int4, (1, 32)), (dtypes.int8, (1, 0))):
        ours, plain = (made(weight, dtype, blocks).dequantize() for made in (best, quantize))
        assert (((ours - weight) ** 2).sum(1) <= ((plain - weight) ** 2).sum(1) + 1e-6).all()
    ours, plain = (made(weight, dtypes.int4, (1, 32)).dequantize() for made in (best, quantize))
    assert np.linalg.norm(ours - weight) < 0.98 * np.linalg.norm(plain - weight)


# data


def test_data_is_read_in_batches_from_arrays_files_and_folders(tmp_path: Path) -> None:
    takes = [TensorInfo("x", ("n", 2), "float32")]
    x = np.arange(10, dtype=np.float32).reshape(5, 2)
    np.savez(tmp_path / "a.npz", x=x)
    np.savez(tmp_path / "b.npz", x=x[:1] + 100)
    for data, sizes in (({"x": x}, [2, 2, 1]), (tmp_path / "a.npz", [2, 2, 1]), (tmp_path, [2, 2, 1, 1])):
        batches = Batches(data, takes, 2)
        for _ in range(2):  # each pass is the same
            calls = [call["x"] for call in batches]
            assert [len(call) for call in calls] == sizes
            np.testing.assert_array_equal(np.concatenate(calls)[:5], x)
    fixed = [TensorInfo("x", (5, 2), "float32")]
    assert [len(call["x"]) for call in Batches({"x": x}, fixed, 2)] == [5]
    for data, words in (
        ({"x": x[:3]}, "has 3 samples; the model takes 5 at a time"),
        ({"y": x}, "does not have the input x"),
        ({"x": x[:0]}, "at least one"),
        (tmp_path / "none.npz", r"there is no .*none\.npz"),
        (Path(__file__), r"is no \.npz file"),
    ):
        with pytest.raises(InputError, match=words):
            list(Batches(data, fixed, 2))


def test_a_file_of_data_that_is_damaged_is_said(tmp_path: Path) -> None:
    takes = [TensorInfo("x", ("n", 2), "float32")]
    np.savez(tmp_path / "a.npz", x=np.ones((5, 2), np.float32))
    whole = (tmp_path / "a.npz").read_bytes()
    for damaged in (whole[:-30], whole[:40], b"PK", b"", np.ones(3).tobytes()):
        (tmp_path / "a.npz").write_bytes(damaged)
        with pytest.raises(InputError, match=r"a\.npz is not an \.npz of arrays"):
            list(Batches(tmp_path, takes, 2))


# checkpoints


OF_CHANNELS = [name for name in SCHEMES if isinstance(getattr(NAMED[name], "block", None), str)]
"""Those of all weights: LeNet's convolutions are no blocks of columns."""


@pytest.mark.parametrize("scheme", OF_CHANNELS)
def test_lenet_keeps_its_accuracy_on_all_digits(scheme: str, tmp_path: Path) -> None:
    train_x, train_y, test_x, test_y = load_digits_28()
    images, labels = np.concatenate([train_x, test_x]), np.concatenate([train_y, test_y])
    data = None if scheme.endswith("weights") else {"image": train_x[:256]}
    found = trtnet.quantize(models.lenet(), data, tmp_path / "q.safetensors", weights=LENET, scheme=scheme)
    assert [row.key for row in found.rows] == [f"{name}.weight" for name in ("conv1", "conv2", "fc1", "fc2", "fc3")]
    assert all(row.error < 0.03 for row in found.rows) and found.floats == ()
    floats = trtnet.define(models.lenet(), weights=LENET).reference()(images)
    network = trtnet.define(models.lenet(), weights=tmp_path / "q.safetensors", quantization="checkpoint")
    logits = network.reference()(images)
    accuracy = {name: float((y.argmax(1) == labels).mean()) for name, y in (("float", floats), ("quantized", logits))}
    assert abs(accuracy["float"] - accuracy["quantized"]) <= 0.003, accuracy
    assert 0 < np.linalg.norm(logits - floats) < 0.05 * np.linalg.norm(floats)
    held = {layer.get_output(0).dtype.name for layer in network.trt if layer.type.name == "QUANTIZE"}
    assert held == (set() if data is None else {"INT8" if scheme == "int8" else "FP8"})


class Shared(nn.Module):
    """One product at two places, and a norm."""

    inputs = {"x": trtnet.Input(("n", 128))}

    def __init__(self) -> None:
        self.up = nn.Linear(128, 128)
        self.norm = nn.LayerNorm(128)
        self.out = nn.Linear(128, 8)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return self.out(self.norm(ops.relu(self.up(10 * ops.relu(self.up(x))))))


def shared() -> dict[str, Any]:
    weights = {"up.weight": RNG.standard_normal((128, 128)) * 0.1, "up.bias": RNG.standard_normal(128)}
    weights |= {"norm.weight": np.ones(128), "norm.bias": np.zeros(128)}
    weights |= {"out.weight": RNG.standard_normal((8, 128)), "out.bias": np.zeros(8)}
    return {key: value.astype(np.float32) for key, value in weights.items()}


@pytest.mark.parametrize("method", METHODS)
def test_the_scale_of_float8_inputs_is_the_next_power_of_two(method: str) -> None:
    """Its reciprocal, which TensorRT multiplies by in the network's dtype, has no rounding."""
    values = np.random.default_rng(0).standard_normal(9999).astype(np.float32) * 37
    scale = scale_of(seen(values), dtypes.float8_e4m3fn, method)
    smallest = METHODS[method](seen(values), dtypes.float8_e4m3fn) / 448
    assert np.log2(scale) % 1 == 0 and scale / 2 < smallest <= scale


def test_the_scale_of_a_shared_weight_is_that_of_all_its_inputs(tmp_path: Path) -> None:
    weights, x = shared(), RNG.standard_normal((64, 128)).astype(np.float32)
    second = 10 * np.maximum(x @ weights["up.weight"].T + weights["up.bias"], 0)
    file = tmp_path / "q.safetensors"
    told: list[str] = []
    found = trtnet.quantize(Shared(), {"x": x}, file, weights=weights, method="max", batch=20, tell=told.append)
    assert told[:4] == [f"the inputs of 2 weights, {calls}" for calls in ("1 call", "2 calls", "3 calls", "4 calls")]
    largest = {row.key: row.largest for row in found.rows}
    assert largest["up.weight"] == pytest.approx(float(second.max()), rel=1e-5)
    read = quantization_of(file)
    assert read is not None
    assert str(read) == "compressed-tensors: 2 of int8, a scale a channel, inputs in int8"
    assert read.weights["up.weight"].input_scale is not None
    assert read.weights["up.weight"].input_scale() == pytest.approx(float(second.max()) / 127, rel=1e-5)
    again = tmp_path / "again.safetensors"
    trtnet.quantize(Shared(), {"x": x}, again, weights=weights, method="max", batch=20)
    assert file.read_bytes() == again.read_bytes()


def test_four_bits_are_packed_as_the_format_has_them(tmp_path: Path) -> None:
    weights = shared()
    file = tmp_path / "q.safetensors"
    found = trtnet.quantize(Shared(), None, file, weights=weights, scheme="int4_weights", skip=["out"])
    assert ([row.key for row in found.rows], found.floats) == (["up.weight"], ("out.weight",))
    config = json.loads((tmp_path / "config.json").read_text())["quantization_config"]
    assert (config["format"], config["config_groups"]["group_0"]["targets"]) == ("pack-quantized", ["up"])
    read = quantization_of(file)
    assert read is not None
    wanted = best(weights["up.weight"], dtypes.int4, (1, 128)).dequantize()
    np.testing.assert_array_equal(read.dequantized()["up.weight"], wanted)
    network = trtnet.define(Shared(), weights=file, quantization="checkpoint")
    floats = trtnet.define(Shared(), weights=read.dequantized())
    x = RNG.standard_normal((3, 128)).astype(np.float32)
    np.testing.assert_allclose(network.reference()(x), floats.reference()(x), rtol=1e-4, atol=1e-4)


def test_what_cannot_be_calibrated_is_refused(tmp_path: Path) -> None:
    def run(scheme: str = "int8", data: Any = None, **options: Any) -> None:
        trtnet.quantize(Shared(), data, tmp_path / "q.safetensors", weights=shared(), scheme=scheme, **options)

    x = {"x": np.ones((2, 128), np.float32)}
    for words, call in {
        "there is no scheme 'int9'": lambda: run("int9"),
        "there is no method 'mean'": lambda: run(data=x, method="mean"),
        "quantizes inputs, whose scales are calibrated": lambda: run(),
        "'ouT' matches no module that is quantized; the nearest are up, out": lambda: run(data=x, skip=["ouT"]),
        "no weight that this scheme quantizes": lambda: run(data=x, skip=["*"]),
    }.items():
        with pytest.raises(ModelError, match=words):
            call()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match=r"there is no .*nosuch\.npz: data is an \.npz file, or a folder"):
        run(data=tmp_path / "nosuch.npz")
    with pytest.raises(TrtnetError, match=r"q\.pth: a quantized checkpoint is written as \.safetensors"):
        trtnet.quantize(Shared(), x, tmp_path / "q.pth", weights=shared())
    save_safetensors(tmp_path / "w.safetensors", shared())
    with pytest.raises(CheckpointError, match="would replace what is read"):
        trtnet.quantize(Shared(), x, tmp_path / "w.safetensors", weights=tmp_path / "w.safetensors")
    (tmp_path / "w.safetensors").unlink()
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(CheckpointError, match="of another checkpoint: write to a folder of its own"):
        run(data=x)
    assert (tmp_path / "config.json").read_text() == '{"model_type": "bert"}'
    assert not (tmp_path / "q.safetensors").exists()


def test_the_most_sensitive_modules_stay_floats_until_the_outputs_are_near(tmp_path: Path) -> None:
    weights, x = shared(), RNG.standard_normal((64, 128)).astype(np.float32)
    x[:, 0] *= 3000  # what "up" sees needs more than eight bits
    file = tmp_path / "q.safetensors"
    common: Any = {"weights": weights, "method": "max", "batch": 64}
    loose = trtnet.quantize(Shared(), {"x": x}, file, **common, tolerance=10)
    assert loose.floats == () and loose.error is not None
    alone = {row.key: row.alone for row in loose.rows}
    assert alone["up.weight"] > 3 * alone["out.weight"] > 0
    tight = trtnet.quantize(Shared(), {"x": x}, file, **common, tolerance=loose.error / 2)
    assert ([row.key for row in tight.rows], tight.floats) == (["out.weight"], ("up.weight",))
    assert tight.error == pytest.approx(alone["out.weight"])
    floats = trtnet.define(Shared(), weights=weights).reference()(x)
    found = trtnet.define(Shared(), weights=file, quantization="checkpoint").reference()(x)
    assert np.linalg.norm(found - floats) <= 1.1 * tight.error * np.linalg.norm(floats)
    with pytest.raises(
        ModelError, match=r"with out alone .* more than the tolerance of 1e-06: .* Give a larger tolerance"
    ):
        trtnet.quantize(Shared(), {"x": x}, file, **common, tolerance=1e-6)
    with pytest.raises(ModelError, match="the tolerance is above 0, found 0"):
        trtnet.quantize(Shared(), {"x": x}, file, **common, tolerance=0)
    with pytest.raises(
        ModelError, match=r"a tolerance is of the outputs that data gives: give data, --data FILE\.npz$"
    ):
        trtnet.quantize(Shared(), None, file, **{**common, "scheme": "int8_weights"}, tolerance=0.1)


def test_minilm_finds_the_same_sentences_with_all_its_products_in_int8(tmp_path: Path) -> None:
    """Other texts calibrate; without smoothing the least cosine is 0.98."""
    arrays, data = encoded(SENTENCES), encoded(descriptions()[:24])
    file, weights = tmp_path / "q.safetensors", minilm.safetensors()
    found = trtnet.quantize(models.minilm(), data, file, weights=weights, smooth=0.8)
    assert len(found.rows) == 36 and found.alpha == 0.8
    floats = trtnet.define(models.minilm(), weights=weights).reference()(**arrays)
    network = trtnet.define(models.minilm(), weights=file, quantization="checkpoint")
    ours = network.reference()(**arrays)
    assert float((floats * ours).sum(1).min()) >= 0.993  # they have length 1
    assert nearest(ours).tolist() == nearest(floats).tolist()
    assert len(network.build({"batch": (1, 4, 16), "length": (1, 16, 64)}).plan.data) > 1000
