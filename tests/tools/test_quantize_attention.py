"""`trtnet.quantize(attention=...)`: scales of attention's operands, found, written, and read again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.comparing import relative_l2
from safetensors import safe_open

import trtnet
from trtnet import nn, ops
from trtnet.support.errors import InputError, ModelError
from trtnet.tools.quantize.page import page
from trtnet.tools.quantize.report import table, to_json

RNG = np.random.default_rng(2)


class Heads(nn.Module):
    def __init__(self) -> None:
        self.q, self.k, self.v = (nn.Linear(32, 32) for _ in range(3))

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        q, k, v = (nn.split_heads(each(x), 2) for each in (self.q, self.k, self.v))
        return nn.join_heads(ops.scaled_dot_product_attention(q, k, v))


class Encoder(nn.Module):
    """Two layers of attention."""

    inputs = {"x": trtnet.Input(("n", 12, 32))}

    def __init__(self) -> None:
        self.layers = nn.ModuleList(Heads() for _ in range(2))

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        for layer in self.layers:
            x = x + layer(x)
        return x


WEIGHTS = {
    f"layers.{i}.{name}.{part}": (RNG.standard_normal(shape) * 0.2).astype(np.float32)
    for i in range(2)
    for name in "qkv"
    for part, shape in (("weight", (32, 32)), ("bias", (32,)))
}
X = RNG.standard_normal((16, 12, 32)).astype(np.float32)


def quantized(file: Path, **options: Any) -> Any:
    return trtnet.quantize(Encoder(), {"x": X}, file, weights=WEIGHTS, batch=8, **options)


def heads(x: Any) -> Any:
    return x.reshape(16, 12, 2, 16).swapaxes(1, 2)


def test_scales_are_those_of_what_is_multiplied_and_are_kept_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "q.safetensors"
    found = quantized(file, attention="int8", method="max")
    assert [row.name for row in found.attentions] == ["layers.0 (attention)", "layers.1 (attention)"]
    assert len(found.rows) == 6
    q, k, v = (heads(X @ WEIGHTS[f"layers.0.{n}.weight"].T + WEIGHTS[f"layers.0.{n}.bias"]) for n in "qkv")
    q = q / 4
    scores = np.exp(q @ k.swapaxes(-1, -2))
    probabilities = scores / scores.sum(-1, keepdims=True)
    largest = tuple(float(np.abs(each).max()) for each in (q, k, probabilities, v))
    row = found.attentions[0]
    assert row.largest == pytest.approx(largest, rel=1e-4)
    exact = [scale * 127 for scale in row.scales]
    assert exact[3] == pytest.approx(largest[3], rel=1e-4)
    assert all(np.log2(row.scales[i]) % 1 == 0 and 0.99 < exact[i] / largest[i] < 2 for i in (0, 1))  # powers of two
    assert 0.3 * largest[2] < exact[2] <= largest[2] * 1.001  # of the least squared error
    with safe_open(file, "numpy") as opened:
        kept = [opened.get_tensor(f"layers.0.{name}_scale").item() for name in ("q", "k", "prob", "v")]
        assert opened.metadata()["attention_dtype"] == "int8"
    assert kept == pytest.approx(row.scales)
    network = trtnet.define(Encoder(), weights=file, quantization="checkpoint")
    assert network.describe().quantization["layers.1"] == "attention in int8"
    floats = trtnet.define(Encoder(), weights=WEIGHTS).reference()(X)
    assert found.error is not None
    off = [
        relative_l2(network.reference()(part), whole)
        for part, whole in zip(np.split(X, 2), np.split(floats, 2), strict=True)
    ]
    assert max(off) == pytest.approx(found.error, rel=1e-3) and found.error < 0.03  # the largest of both calls


def test_it_is_shown_and_modules_stay_floats_by_pattern_and_by_tolerance(tmp_path: Path) -> None:
    file = tmp_path / "q.safetensors"
    found = quantized(file, attention="fp8", skip=["layers.1"])
    assert [row.scheme for row in found.attentions] == ["attention in float8_e4m3fn"]
    assert "layers.0 (attention)" in page(found, "m", {}) and to_json(found)["attentions"][0]["name"] in str(
        [list(column.cells) for column in table(found).columns]
    )
    assert found.others == {"layers.1 (attention)": "skipped"} and to_json(found)["others"] == found.others
    assert "layers.1" not in trtnet.define(Encoder(), weights=file, quantization="checkpoint").describe().quantization
    loose = quantized(file, attention="fp8", tolerance=1.0)
    alone = {row.name: row.alone for row in loose.attentions}
    assert all(off is not None and off > 1e-3 for off in alone.values())
    tight = quantized(file, attention="fp8", tolerance=min(filter(None, alone.values())) / 1.5)
    assert tight.attentions == () and {name for name, _ in tight.sensitive} >= set(alone)
    assert tight.error is not None and tight.error < min(filter(None, alone.values()))
    assert loose.others == {} and "in floats" not in str(table(loose).caption)
    assert tight.others == dict.fromkeys(alone, "left out for the tolerance")
    names = "layers.0 (attention), layers.1 (attention) (left out for the tolerance)"
    assert f"; in floats: {names}" in str(table(tight).caption)
    off = f"{alone['layers.0 (attention)']:.2e} alone"
    assert f"<li>layers.0 (attention): left out for the tolerance, {off}</li>" in page(tight, "m", {})


def test_an_attention_of_zeros_is_said_to_stay_in_floats(tmp_path: Path) -> None:
    zeros = {key: array * ("v" not in key) for key, array in WEIGHTS.items()}
    found = trtnet.quantize(Encoder(), {"x": X}, tmp_path / "q.safetensors", weights=zeros, attention="int8")
    assert found.others == {f"layers.{i} (attention)": "nothing but zeros was seen of its inputs" for i in range(2)}


class Long(Heads):
    inputs = {"x": trtnet.Input(("n", 400, 32))}


@pytest.mark.parametrize("kind", ["int8", "fp8"])
def test_probabilities_that_become_0_are_warned_of(kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Eight of 400 positions see themselves alone, the others all alike."""
    x = np.zeros((1, 400, 32), np.float32)
    x[0, range(8), range(8)] = x[0, range(8), range(16, 24)] = 8
    eye = {f"{name}.weight": np.eye(32, dtype=np.float32) for name in "qkv"}
    weights = eye | {f"{name}.bias": np.zeros(32, np.float32) for name in "qkv"}
    trtnet.quantize(Long(), {"x": x}, tmp_path / "q.safetensors", weights=weights, attention=kind)
    words = "small probabilities round to 0 in 1 attention, 98 % of their sum in the model: take fp8"
    assert (words in caplog.text) == (kind == "int8")
    caplog.clear()
    quantized(tmp_path / "q.safetensors", attention=kind)
    assert "round to 0" not in caplog.text


def test_what_has_no_attention_is_refused(tmp_path: Path) -> None:
    file, linear = tmp_path / "q.safetensors", {"weight": np.ones((4, 4), np.float32), "bias": np.ones(4, np.float32)}
    x = {"x": np.ones((2, 4), np.float32)}
    inputs = {"x": trtnet.Input(("n", 4))}
    with pytest.raises(ModelError, match=r"the model has no attention: .* with need_weights=False"):
        trtnet.quantize(nn.Linear(4, 4), x, file, inputs, weights=linear, attention="int8")
    with pytest.raises(ModelError, match="attention is quantized to int8 or fp8; found 'int4'"):
        quantized(file, attention="int4")
    with pytest.raises(
        ModelError, match=r"attention quantizes inputs, .* are calibrated: give data, --data FILE\.npz$"
    ):
        trtnet.quantize(Encoder(), None, file, weights=WEIGHTS, scheme="int8_weights", attention="int8")
    with pytest.raises(InputError):
        trtnet.quantize(Encoder(), {"y": X}, file, weights=WEIGHTS, attention="int8")


def test_scales_of_no_attention_are_said(tmp_path: Path) -> None:
    """As a file of another model has them: a module that does not call attention."""
    file = tmp_path / "q.safetensors"
    quantized(file, attention="int8")

    class Written(Encoder):
        def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
            for layer in self.layers:
                q, k, v = (each(x) for each in (layer.q, layer.k, layer.v))
                x = x + ops.softmax(q @ k.mT, -1) @ v
            return x

    with pytest.raises(ModelError, match=r"layers\.0 has scales of attention's products, and does not call"):
        trtnet.define(Written(), weights=file, quantization="checkpoint")
    kept = trtnet.Quantize("checkpoint", fallback="warn")
    assert len(trtnet.define(Written(), weights=file, quantization=kept).describe().quantization) == 6
