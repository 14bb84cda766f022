"""Calibration of what is in loops and branches, and of recurrent layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import trtnet
from trtnet import nn, ops
from trtnet.support.errors import InputError, ModelError
from trtnet.tools.quantize.report import table, to_json

RNG = np.random.default_rng(0)


class Controlled(nn.Module):
    """A product of the carried state and one of a slice in each iteration, and one in a branch."""

    inputs = {"x": trtnet.Input(("n", 3, 4)), "again": trtnet.Input((1,), "bool")}

    def __init__(self) -> None:
        self.state, self.slice = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
        self.branch, self.out = nn.Linear(4, 4, bias=False), nn.Linear(4, 4)

    def forward(self, x: trtnet.Tensor, again: trtnet.Tensor) -> trtnet.Tensor:
        def step(h: trtnet.Tensor, part: trtnet.Tensor) -> tuple[trtnet.Tensor, trtnet.Tensor]:
            h = self.state(h) + self.slice(part)
            return h, h

        last, _ = ops.scan(step, ops.zeros((x.shape[0], 4), dtype=x.dtype), x, dim=1)
        return self.out(ops.cond(again, lambda y: self.branch(y), lambda y: -y, [last]))


def controlled() -> dict[str, Any]:
    weights = {f"{name}.weight": RNG.standard_normal((4, 4)) for name in ("state", "slice", "branch", "out")}
    return {key: value.astype(np.float32) for key, value in (weights | {"out.bias": np.ones(4)}).items()}


def test_what_is_in_loops_and_branches_is_seen_in_each_iteration(tmp_path: Path) -> None:
    weights, x = controlled(), RNG.standard_normal((6, 3, 4)).astype(np.float32)
    file = tmp_path / "q.safetensors"
    data = {"x": x, "again": np.ones(6, bool)}
    found = trtnet.quantize(Controlled(), data, file, weights=weights, method="max", batch=1)
    h, largest = np.zeros((6, 4), np.float32), 0.0
    for part in x.swapaxes(0, 1):
        largest = max(largest, float(np.abs(h).max()))
        h = h @ weights["state.weight"].T + part @ weights["slice.weight"].T
    wanted = {"state": largest, "slice": np.abs(x).max(), "branch": np.abs(h).max()}
    wanted["out"] = np.abs(h @ weights["branch.weight"].T).max()
    seen = {row.key.removesuffix(".weight"): row.largest for row in found.rows}
    assert seen == pytest.approx(wanted, rel=1e-5)
    network = trtnet.define(Controlled(), weights=file, quantization="checkpoint")
    floats = trtnet.define(Controlled(), weights=weights).reference()
    for row, again in zip(x[:3, None], (True, False, True), strict=True):
        given = {"x": row, "again": np.array([again])}
        off = np.linalg.norm(network.reference()(**given) - floats(**given)) / np.linalg.norm(floats(**given))
        assert 0 < off < 0.05
    assert len(network.build({"n": (1, 2, 4)}).plan.data) > 1000


class Tagger(torch.nn.Module):
    def __init__(self, recurrent: type[torch.nn.RNNBase]) -> None:
        super().__init__()
        self.before, self.r, self.after = torch.nn.Linear(4, 4), recurrent(4, 4), torch.nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.after(self.r(self.before(x))[0])


@pytest.mark.parametrize("recurrent", [torch.nn.LSTM, torch.nn.GRU, torch.nn.RNN])
def test_products_beside_recurrent_layers_are_quantized_and_the_report_says_what_stays(
    recurrent: Any, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model, x = Tagger(recurrent).eval(), RNG.standard_normal((3, 8, 4)).astype(np.float32)
    inputs, file = {"x": trtnet.Input((3, "n", 4))}, tmp_path / "q.safetensors"
    found = trtnet.quantize(model, {"x": x}, file, inputs=inputs)
    assert [row.key for row in found.rows] == ["before.weight", "after.weight"]
    why = 'the format quantizes what a module calls "weight"'
    assert found.reasons == {"r.weight_ih_l0": why, "r.weight_hh_l0": why} == to_json(found)["reasons"]
    assert f"2 of two or more axes stay floats: r.weight_ih_l0, r.weight_hh_l0 ({why})" in str(table(found).caption)
    ours = trtnet.define(model, inputs, file, quantization="checkpoint").reference()(x)
    wanted = model(torch.from_numpy(x)).detach().numpy()
    assert np.linalg.norm(ours - wanted) < 0.02 * np.linalg.norm(wanted)


class Alone(nn.Module):
    inputs = {"x": trtnet.Input((3, "n", 8))}

    def __init__(self) -> None:
        self.r, self.out = nn.LSTM(8, 8), nn.Linear(8, 8)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return self.out(self.r(x)[0])


def test_where_nothing_is_quantized_the_error_says_why(tmp_path: Path) -> None:
    weights = {key: np.ones(value.shape, np.float32) for key, value in Alone().named_parameters()}
    for scheme, skip, words in (
        ("int8_weights", ["out"], r'r\.weight_ih_l0, .* \(.* calls "weight"\); out\.weight \(skipped\)'),
        ("int4_weights", [], r"out\.weight \(\[8, 8\] is no matrix of blocks of 128 columns\)"),
    ):
        with pytest.raises(ModelError, match=f"has no weight that this scheme quantizes: .*{words}"):
            trtnet.quantize(Alone(), None, tmp_path / "q.safetensors", weights=weights, scheme=scheme, skip=skip)


class Stepped(nn.Module):
    """x [n, 4] and a state [n, 3] to the next one, which is a product of both."""

    inputs = {"x": trtnet.Input(("n", 4)), "h": trtnet.State(("n", 3))}

    def __init__(self) -> None:
        self.new, self.old = nn.Linear(4, 3, bias=False), nn.Linear(3, 3, bias=False)
        self.out = nn.Linear(3, 2, bias=False)

    def forward(self, x: trtnet.Tensor, h: trtnet.Tensor) -> tuple[trtnet.Tensor, trtnet.Tensor]:
        h = self.new(x) + self.old(h)
        return self.out(h), h


def test_sequences_calibrate_a_model_with_a_state(tmp_path: Path) -> None:
    shapes = {"new": (3, 4), "old": (3, 3), "out": (2, 3)}
    weights = {f"{name}.weight": RNG.uniform(-0.5, 0.5, shape).astype(np.float32) for name, shape in shapes.items()}
    x = RNG.standard_normal((5, 7, 4)).astype(np.float32)  # five sequences of seven steps
    h, largest = np.zeros((5, 3), np.float32), 0.0
    for step in x.swapaxes(0, 1):
        largest = max(largest, float(np.abs(h).max()))
        h = step @ weights["new.weight"].T + h @ weights["old.weight"].T
    for data in ({"x": x}, tmp_path):
        np.savez(tmp_path / "x.npz", x=x)
        found = trtnet.quantize(Stepped(), data, tmp_path / "q.safetensors", weights=weights, method="max", batch=2)
        seen = {row.key: row.largest for row in found.rows}
        assert seen["old.weight"] == pytest.approx(largest, rel=1e-5)
        assert seen["new.weight"] == np.abs(x).max()
        assert found.error is not None
        assert 0 < found.error < 0.1
    network = trtnet.define(Stepped(), weights=tmp_path / "q.safetensors", quantization="checkpoint")
    assert len(network.describe().quantization) == 3
    alone = {
        "x": x[:, 0],
        "h": x[:, 1, :3],
        "active": np.ones(5, bool),
    }  # with its states each sample is a call of its own
    found = trtnet.quantize(Stepped(), alone, tmp_path / "r.safetensors", weights=weights, method="max", batch=2)
    assert {row.key: row.largest for row in found.rows}["old.weight"] == np.abs(x[:, 1, :3]).max()
    with pytest.raises(
        InputError, match=r"the data: data without the states is sequences, .*: input x .* has 3 dimensions"
    ):
        trtnet.quantize(Stepped(), {"x": x[:, 0]}, tmp_path / "r.safetensors", weights=weights)


class Rated(Stepped):
    inputs = {**Stepped.inputs, "rate": trtnet.Input(())}

    def forward(  # type: ignore[override]
        self, x: trtnet.Tensor, h: trtnet.Tensor, rate: trtnet.Tensor
    ) -> tuple[trtnet.Tensor, trtnet.Tensor]:
        return super().forward(x * rate, h)


def test_one_number_is_that_of_all_steps(tmp_path: Path) -> None:
    weights = {key: np.ones(value.shape, np.float32) for key, value in Rated().named_parameters()}
    x = RNG.standard_normal((5, 7, 4)).astype(np.float32)
    data = {"x": x, "rate": np.float32(3)}
    found = trtnet.quantize(Rated(), data, tmp_path / "q.safetensors", weights=weights, method="max", batch=2)
    assert {row.key: row.largest for row in found.rows}["new.weight"] == pytest.approx(3 * np.abs(x).max())


class Attentive(nn.Module):
    inputs = {"x": trtnet.Input(("n", 5, 128))}

    def __init__(self) -> None:
        self.attn = nn.MultiheadAttention(128, 2, batch_first=True)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return self.attn(x, x, x, need_weights=False)[0]


@pytest.mark.parametrize("scheme", ["int8", "int4_weights"])
def test_the_product_for_queries_keys_and_values_is_quantized(scheme: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    original = torch.nn.MultiheadAttention(128, 2, batch_first=True)
    weights = {f"attn.{key}": value.detach().numpy() for key, value in original.state_dict().items()}

    x = RNG.standard_normal((6, 5, 128)).astype(np.float32)
    found = trtnet.quantize(Attentive(), {"x": x}, tmp_path / "q.safetensors", weights=weights, scheme=scheme)
    assert {row.key for row in found.rows} == {"attn.in_proj_weight", "attn.out_proj.weight"}
    network = trtnet.define(Attentive(), weights=tmp_path / "q.safetensors", quantization="checkpoint")
    assert {*network.describe().quantization} == {"attn.in_proj_weight", "attn.out_proj.weight"}
    wanted = trtnet.define(Attentive(), weights=weights).reference()(x)
    off = np.linalg.norm(network.reference()(x) - wanted) / np.linalg.norm(wanted)
    assert 0 < off < (0.03 if scheme == "int8" else 0.3)
