"""Calibration with samples, inputs of products, outputs and weights that are no numbers, or nothing but zeros."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trtnet
from trtnet import nn, ops
from trtnet.support.errors import InputError, ModelError, WeightsError

X = np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)


class Two(nn.Module):
    """The second product's input is NaN where that of the first is negative in its first column."""

    inputs = {"x": trtnet.Input(("n", 4)), "mask": trtnet.Input(("n", 4))}

    def __init__(self) -> None:
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: trtnet.Tensor, mask: trtnet.Tensor) -> trtnet.Tensor:
        y = self.first(x) + self.second(ops.cat([ops.sqrt(x[:, :1]), x[:, 1:]], 1))
        return ops.softmax(y + mask, -1)


def run(folder: Path, x: Any, **options: Any) -> Any:
    changed = options.pop("weights", {})
    weights = {key: np.ones(value.shape, np.float32) for key, value in Two().named_parameters()} | changed
    mask = np.where(np.arange(4) == 3, -np.inf, 0).astype(np.float32).repeat(len(x)).reshape(4, -1).T
    data = options.pop("data", {"x": x, "mask": mask})
    return trtnet.quantize(Two(), data, folder / "q.safetensors", weights=weights, batch=3, **options)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_no_numbers_are_refused_with_their_place(value: float, tmp_path: Path) -> None:
    spoiled = np.abs(X)
    spoiled[5, 1] = value
    np.savez(tmp_path / "good.npz", x=np.abs(X), mask=np.zeros_like(X))
    np.savez(tmp_path / "spoiled.npz", x=spoiled, mask=np.zeros_like(X))
    with pytest.raises(
        InputError, match=r"spoiled\.npz: sample 5 \(from 0\) of the input x has NaN or infinite values"
    ):
        run(tmp_path, X, data=tmp_path)
    assert not (tmp_path / "q.safetensors").exists()


def test_inputs_of_products_that_are_nan_do_not_count_and_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = run(tmp_path, X)
    negative = int((X[:, 0] < 0).sum())
    assert f"and do not count, of 1 product: second.weight ({negative})" in caplog.text
    assert f"the output output is NaN in floats, in {4 * negative} of 32 values" in caplog.text
    arrays = trtnet.define(Two(), weights=tmp_path / "q.safetensors", quantization="checkpoint").checkpoint
    assert np.isfinite(arrays["second.bias"]).all() and [row.key for row in found.rows][1] == "second.weight"
    with pytest.raises(ModelError, match="the output output is NaN in floats: what quantization changes"):
        run(tmp_path, -np.abs(X))


def test_products_of_zeros_stay_in_floats(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = run(tmp_path, np.abs(X), weights={"first.weight": np.zeros((4, 4), np.float32)})
    assert len(found.rows) == 2 and caplog.text == ""
    with pytest.raises(ModelError, match=r"nothing is calibrated: first\.weight, second\.weight \(nothing but zeros"):
        run(tmp_path, X * 0)
    assert "nothing but zeros was seen of the inputs: first.weight, second.weight" in caplog.text
    assert len(run(tmp_path, X * 0, scheme="int8_weights").rows) == 2


class Deep(nn.Module):
    inputs = {"x": trtnet.Input(("n", 4))}

    def __init__(self) -> None:
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return self.second(self.first(x))


def test_one_product_of_zeros_stays_in_floats_beside_others(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    weights = {key: np.ones(value.shape, np.float32) for key, value in Deep().named_parameters()}
    found = trtnet.quantize(Deep(), {"x": X * 0}, tmp_path / "q.safetensors", weights=weights)
    assert [row.key for row in found.rows] == ["second.weight"]
    assert found.reasons == {"first.weight": "nothing but zeros was seen of its inputs"}
    assert "nothing but zeros was seen of the inputs: first.weight" in caplog.text
    held = trtnet.define(Deep(), weights=tmp_path / "q.safetensors", quantization="checkpoint").describe().quantization
    assert held == {"second.weight": "int8, a scale a channel, inputs in int8"}


@pytest.mark.parametrize("scheme", ["int8", "fp8", "int8_weights"])
def test_weights_that_are_no_numbers_are_refused_before_anything_is_calibrated(scheme: str, tmp_path: Path) -> None:
    spoiled = np.ones((4, 4), np.float32)
    spoiled[1, 2:], spoiled[3, 3] = np.nan, np.inf
    told: list[str] = []
    words = r"first\.weight: it has NaN or infinite values, 2 NaN and 1 Inf of 16; --skip 'first' leaves it in floats"
    with pytest.raises(WeightsError, match=words):
        run(tmp_path, np.abs(X), scheme=scheme, weights={"first.weight": spoiled}, tell=told.append)
    assert told == []
    schemes = {"*": "int8_weights"}
    with pytest.raises(
        WeightsError, match=r"first\.weight: it has NaN or infinite values, 2 NaN and 1 Inf of 16; excl"
    ):
        weights = {key: np.ones(value.shape, np.float32) for key, value in Two().named_parameters()}
        trtnet.define(Two(), weights=weights | {"first.weight": spoiled}, quantization=schemes)


class One(nn.Module):
    inputs = {"x": trtnet.Input(("n", 32))}

    def __init__(self) -> None:
        self.first, self.second = nn.Linear(32, 32), nn.Linear(32, 32)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return self.second(self.first(x))


@pytest.mark.parametrize("scheme", ["int8", "fp8_channel", "int8_weights", "fp8_weights", "mxfp8", "nvfp4_weights"])
def test_rows_of_weights_that_no_scale_can_tell_from_zeros(scheme: str, tmp_path: Path) -> None:
    """Trained with decay of weights, the rows of unused channels have denormal numbers."""
    rng = np.random.default_rng(3)
    weights = {key: rng.standard_normal(value.shape).astype(np.float32) for key, value in One().named_parameters()}
    weights["first.weight"][5] *= np.float32(1e-44)
    x = rng.standard_normal((8, 32)).astype(np.float32)
    trtnet.quantize(One(), {"x": x}, tmp_path / "q.safetensors", weights=weights, scheme=scheme, placement="none")
    network = trtnet.define(One(), weights=tmp_path / "q.safetensors", quantization="checkpoint")
    assert len(network.describe().quantization) == 2
    wanted = trtnet.define(One(), weights=weights).reference()(x)
    assert np.linalg.norm(network.reference()(x) - wanted) < 0.2 * np.linalg.norm(wanted)


@pytest.mark.parametrize("value", [1e-45, 1e-41, 1e-38])
def test_inputs_that_no_scale_can_tell_from_zeros_stay_floats(
    value: float, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    weights = {key: np.ones(each.shape, np.float32) for key, each in One().named_parameters()}
    data = {"x": np.full((4, 32), value, np.float32)}
    found = trtnet.quantize(One(), data, tmp_path / "q.safetensors", weights=weights, placement="none")
    assert [row.key for row in found.rows] == ["second.weight"]
    assert "in floats, since nothing but zeros was seen of the inputs: first.weight" in caplog.text
