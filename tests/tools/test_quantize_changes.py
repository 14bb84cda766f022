"""What calibration changes in floats beside the quantized weights: batch norms, smoothed norms, biases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trtnet
from trtnet import nn, ops
from trtnet.checkpoint import open_checkpoint
from trtnet.checkpoint.quantized.quantization import quantization_of
from trtnet.definition.quantization import Watch
from trtnet.support.errors import ModelError
from trtnet.tools.quantize.batch_norms import folded
from trtnet.tools.quantize.choosing import ALPHAS
from trtnet.tools.quantize.page import page
from trtnet.tools.quantize.smoothing import groups


def relative(found: Any, wanted: Any) -> float:
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


def samples(*shape: int) -> Any:
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


def norm(rng: np.random.Generator, name: str, channels: int) -> dict[str, Any]:
    values = {"weight": rng.standard_normal(channels), "bias": rng.standard_normal(channels)}
    values |= {"running_mean": rng.standard_normal(channels), "running_var": rng.random(channels) + 0.5}
    return {f"{name}.{key}": value for key, value in values.items()}


class Convolutions(nn.Module):
    """With a bias and without one, in groups; the last one's own result is read too."""

    inputs = {"x": trtnet.Input(("n", 8, 6, 6))}

    def __init__(self) -> None:
        self.first, self.first_norm = nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16)
        self.deep, self.deep_norm = nn.Conv2d(16, 16, 3, padding=1, groups=16, bias=False), nn.BatchNorm2d(16)
        self.last, self.last_norm = nn.Conv2d(16, 8, 1, bias=False), nn.BatchNorm2d(8)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        x = ops.relu6(self.first_norm(self.first(x)))
        x = ops.relu6(self.deep_norm(self.deep(x)))
        y = self.last(x)
        return self.last_norm(y) + y


def convolutions() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    weights = {"first.weight": rng.standard_normal((16, 8, 3, 3)), "first.bias": rng.standard_normal(16)}
    weights |= {"deep.weight": rng.standard_normal((16, 1, 3, 3)), "last.weight": rng.standard_normal((8, 16, 1, 1))}
    weights |= norm(rng, "first_norm", 16) | norm(rng, "deep_norm", 16) | norm(rng, "last_norm", 8)
    return {key: value.astype(np.float32) for key, value in weights.items()}


def test_batch_norms_go_into_weights_exactly_and_only_where_nothing_else_reads() -> None:
    weights, x = convolutions(), samples(2, 8, 6, 6)
    network = trtnet.define(Convolutions(), weights=weights, quantization=Watch())
    watched = network.quantized.watched
    assert watched is not None
    changed = folded(open_checkpoint(weights), watched, ["first.weight", "deep.weight", "last.weight"])
    assert {key.partition(".")[0] for key in changed} == {"first", "first_norm", "deep", "deep_norm"}
    assert not changed["first.bias"].any() and (changed["deep_norm.weight"] == 1).all()
    again = trtnet.define(Convolutions(), weights=weights | changed).reference()(x)
    assert relative(again, trtnet.define(Convolutions(), weights=weights).reference()(x)) < 1e-5


def test_the_mean_error_goes_into_biases_and_batch_norms(tmp_path: Path) -> None:
    weights = convolutions()
    x = samples(64, 8, 6, 6) + 1
    floats = trtnet.define(Convolutions(), weights=weights).reference()(x)
    errors = {}
    for correct in (False, True):
        file = tmp_path / str(correct) / "q.safetensors"
        file.parent.mkdir()
        found = trtnet.quantize(
            Convolutions(), {"x": x}, file, weights=weights, scheme="fp8_weights", skip=["last"], correct=correct
        )
        assert [(row.folded, row.corrected) for row in found.rows] == [(True, correct)] * 2
        network = trtnet.define(Convolutions(), weights=file, quantization="checkpoint")
        kinds = [layer.type.name for layer in network.trt]
        assert kinds.count("SCALE") == 1  # that of the result that is read twice
        lost = network.reference()(x) - floats
        errors[correct] = np.abs(lost.mean((0, 2, 3))).max()
        assert found.error is not None and found.error > 0
    assert errors[True] < 0.7 * errors[False]


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_quantized_convolution_takes_the_batch_norm_behind_it(dtype: str) -> None:
    weights, x = convolutions(), samples(2, 8, 6, 6).astype(dtype)
    for sign, scales in ((1, 1), (-1, 3)):  # a scale is above 0: a negative factor is a layer of its own
        given = {key: sign * np.abs(w) if key.endswith("norm.weight") else w for key, w in weights.items()}
        floats = trtnet.define(Convolutions(), weights=given, dtype=dtype).reference()(x)
        network = trtnet.define(
            Convolutions(), weights=given, dtype=dtype, quantization={"first": "int8_weights", "*": "int8_weights"}
        )
        assert [layer.type.name for layer in network.trt].count("SCALE") == scales
        assert 1e-4 < relative(network.reference()(x).astype(np.float32), floats.astype(np.float32)) < 0.03
        assert len(network.build({"n": 2}).plan.data) > 1000


class Branches(nn.Module):
    """Two products of one norm's result; and one of a norm whose result is added too, as in BERT."""

    inputs = {"x": trtnet.Input(("n", 32))}

    def __init__(self) -> None:
        self.before, self.a, self.b = nn.LayerNorm(32), nn.Linear(32, 32), nn.Linear(32, 32, bias=False)
        self.after, self.c = nn.RMSNorm(32), nn.Linear(32, 32)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        y = self.before(x)
        z = self.after(ops.gelu(self.a(y)) + self.b(y))
        return z + self.c(z)


def branches() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    spread = np.exp(2 * rng.standard_normal(32))
    weights = {f"{name}.weight": rng.standard_normal((32, 32)) for name in "abc"}
    weights |= {"before.weight": spread, "before.bias": rng.standard_normal(32), "after.weight": spread}
    weights |= {"a.bias": rng.standard_normal(32), "c.bias": rng.standard_normal(32)}
    return {key: value.astype(np.float32) for key, value in weights.items()}


def test_outliers_go_into_the_norm_before_or_are_factors_of_inputs(tmp_path: Path) -> None:
    weights, x = branches(), samples(256, 32)
    floats = trtnet.define(Branches(), weights=weights).reference()(x)
    network = trtnet.define(Branches(), weights=weights, quantization=Watch())
    found = {group.keys: group.norm is not None for group in groups(network, ["a.weight", "b.weight", "c.weight"])}
    assert found == {("a.weight", "b.weight"): True, ("c.weight",): False}
    errors = {}
    for smooth, kind in ((None, "compressed-tensors"), (0.5, "ModelOpt")):
        file = tmp_path / str(smooth) / "q.safetensors"
        file.parent.mkdir()
        made = trtnet.quantize(Branches(), {"x": x}, file, weights=weights, method="max", smooth=smooth, batch=256)
        assert [row.smoothed for row in made.rows] == (["norm", "norm", "inputs"] if smooth else ["", "", ""])
        read = quantization_of(file)
        assert read is not None and str(read).startswith(kind)
        errors[smooth] = relative(
            trtnet.define(Branches(), weights=file, quantization="checkpoint").reference()(x), floats
        )
        assert errors[smooth] == pytest.approx(made.error, rel=1e-3)
        dequantized = trtnet.define(Branches(), weights=read.dequantized()).reference()(x)
        assert relative(dequantized, floats) < 0.02
    assert errors[0.5] < 0.7 * errors[None]


def test_the_smallest_alpha_that_is_near_the_best_is_found(tmp_path: Path) -> None:
    weights, x = branches(), samples(96, 32)
    common: Any = {"weights": weights, "batch": 32}
    errors = {}
    for alpha in (None, *ALPHAS):
        found = trtnet.quantize(Branches(), {"x": x}, tmp_path / "q.safetensors", **common, method="max", smooth=alpha)
        errors[alpha] = found.error or 0.0
    auto = trtnet.quantize(Branches(), {"x": x}, tmp_path / "q.safetensors", **common, smooth="auto")
    near = [alpha for alpha, error in errors.items() if error <= 1.05 * min(errors.values())]
    assert (auto.alpha, auto.error) == (near[0], errors[near[0]])
    assert min(errors.values()) < 0.9 * max(errors.values())


def test_a_norm_is_smoothed_only_before_products_that_are_all_known(tmp_path: Path) -> None:
    weights, x = branches(), samples(64, 32)
    file = tmp_path / "q.safetensors"
    made = trtnet.quantize(Branches(), {"x": x}, file, weights=weights, smooth=0.5, skip=["b", "c"])
    assert [(row.key, row.smoothed) for row in made.rows] == [("a.weight", "norm")]
    floats = trtnet.define(Branches(), weights=weights).reference()(x)
    found = trtnet.define(Branches(), weights=file, quantization="checkpoint").reference()(x)
    assert 0 < relative(found, floats) < 0.05  # b is in floats, and has the norm's divisors too
    one_scale = "smooth is for schemes whose inputs have one scale, such as int8 and fp8; found int8_weights"
    for smooth, scheme, words in (
        (1.5, "int8", "smooth is from 0 to 1 or 'auto', found 1"),
        (0.5, "int8_weights", one_scale),
    ):
        with pytest.raises(ModelError, match=words):
            trtnet.quantize(Branches(), {"x": x}, file, weights=weights, smooth=smooth, scheme=scheme)


def test_the_page_has_each_weight_and_what_stays_in_floats(tmp_path: Path) -> None:
    weights, x = branches(), samples(64, 32)
    made = trtnet.quantize(Branches(), {"x": x}, tmp_path / "q.safetensors", weights=weights, skip=["b"], tolerance=1.0)
    text = page(made, "<branches>", {"scheme": "int8"})
    assert text.count("<svg") == text.count('class="bar"') == len(made.rows) == 2
    assert all(
        word in text for word in ("a.weight", "b.weight", "&lt;branches&gt;", "scheme int8", f"{made.error:.2e}")
    )
    assert "http" not in text.replace("http-equiv", "") and "<branches>" not in text
