"""Beyond the planted bugs: rounding accuses nobody, names and layouts that differ, several calls, the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.verify.planted import BUGS, RIGHT, randomized

import trtnet
from trtnet import nn, ops
from trtnet.support.errors import InputError
from trtnet.verify.bisection.bisect import bisect
from trtnet.verify.bisection.result import Verdict


@pytest.mark.parametrize("name", ["bert", "resnet18", "vit"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_rounding_accuses_nobody(name: str, dtype: str) -> None:
    right = RIGHT[name]()
    found = bisect(right.network(dtype), right.original, right.inputs)
    assert found.module is None and any("rounded" in note for note in found.notes) == (name != "bert")


@pytest.mark.parametrize("name", sorted(set(BUGS) - {"wrong_eps", "tanh_gelu"}))
def test_bugs_are_found_in_float16_too(name: str) -> None:
    bug = BUGS[name]()
    found = bisect(bug.network("float16"), bug.original, bug.inputs, original_inputs=bug.original_inputs)
    assert [finding.row.path for finding in found.findings] == [bug.module]
    assert found.findings[0].row.verdict is Verdict.FAULT


@pytest.mark.parametrize("name", ["wrong_eps", "tanh_gelu"])
def test_what_float16_does_not_resolve_is_noted(name: str) -> None:
    bug = BUGS[name]()
    found = bisect(bug.network("float16"), bug.original, bug.inputs)
    assert found.module is None
    assert f"{bug.module}: {bug.says}" in found.harmless


@pytest.mark.parametrize("name", ["lenet", "wrong_axis"])
def test_rounding_to_quantized_weights_accuses_nobody(name: str) -> None:
    """A module with quantized weights is held to the tolerance of what they are quantized to, others to their own."""
    pair = RIGHT[name]() if name in RIGHT else BUGS[name]()
    quantized = trtnet.define(pair.model, pair.specs, pair.weights, quantization={"*": "int8_weights"})
    found = bisect(quantized, pair.original, pair.inputs)
    assert "int8" in quantized.quantized.dtypes
    assert [finding.row.path for finding in found.findings] == ([] if name in RIGHT else [pair.module])


class Two(nn.Module):
    """One layer called twice, and one that rounds too much in float16: a difference of large numbers."""

    inputs = {"x": trtnet.Input((4, 8))}

    def __init__(self) -> None:
        self.layer, self.centre = nn.Linear(8, 8), Centre()

    def forward(self, x: Any) -> Any:
        return self.layer(self.centre(self.layer(x)))


class Centre(nn.Module):
    def forward(self, x: Any) -> Any:
        return (x + 1000.0) - 1000.0


class TorchTwo(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.centre = torch.nn.Linear(8, 8), torch.nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(self.centre(self.layer(x)))


def test_a_right_formula_that_rounds_too_much_is_told_from_a_wrong_one() -> None:
    torch.manual_seed(0)
    original = TorchTwo()
    x = np.random.default_rng(0).standard_normal((4, 8)).astype(np.float32)
    assert bisect(trtnet.define(Two(), weights=original, dtype="float32"), original, x).module in (None, "centre")
    found = bisect(trtnet.define(Two(), weights=original, dtype="float16"), original, x)
    (finding,) = found.findings
    assert finding.row.path == "centre"
    assert [(row.name, row.verdict) for row in found.rows if row.path == "layer"] == [
        ("layer", Verdict.AGREES),
        ("layer #2", Verdict.DOWNSTREAM),
    ]


def test_a_model_of_other_names_and_queries_keys_and_values_in_one() -> None:
    """Ours has GPT-2's one c_attn, the original three layers of other names; ours is wrong in the second layer."""
    original = randomized(Separate(), 0.3)
    parts = [original.state_dict()[f"body.{i}.{n}.weight"] for i in range(2) for n in "qkv"]
    weights = {f"layers.{i}.qkv.weight": torch.cat(parts[3 * i : 3 * i + 3]) for i in range(2)}
    x = np.random.default_rng(0).standard_normal((2, 5, 8)).astype(np.float32)
    names = {r"layers\.(\d+)\.qkv": (r"body.\1.q", r"body.\1.k", r"body.\1.v"), "layers": "body"}
    right = bisect(trtnet.define(Merged(), weights=weights), original, x, names=names)
    assert right.module is None and {row.verdict for row in right.rows} == {Verdict.AGREES}
    weights["layers.1.qkv.weight"][9] *= 3
    found = bisect(trtnet.define(Merged(), weights=weights), original, x, names=names)
    assert found.module == "layers.1.qkv"


class Attend(nn.Module):
    def __init__(self) -> None:
        self.qkv = nn.Linear(8, 24, bias=False)

    def forward(self, x: Any) -> Any:
        q, k, v = (nn.split_heads(part, 2) for part in self.qkv(x).chunk(3, -1))
        return x + nn.join_heads(ops.scaled_dot_product_attention(q, k, v))


class Merged(nn.Module):
    inputs = {"x": trtnet.Input(("batch", "length", 8))}

    def __init__(self) -> None:
        self.layers = nn.Sequential(Attend(), Attend())

    def forward(self, x: Any) -> Any:
        return self.layers(x)


class TorchAttend(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v = (torch.nn.Linear(8, 8, bias=False) for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (part(x).unflatten(-1, (2, 4)).transpose(1, 2) for part in (self.q, self.k, self.v))
        y = torch.nn.functional.scaled_dot_product_attention(q, k, v)
        return x + y.transpose(1, 2).flatten(2)


class Separate(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = torch.nn.Sequential(TorchAttend(), TorchAttend())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x)


def test_modules_that_divide_the_work_otherwise_are_no_fault() -> None:
    right = RIGHT["bert"]()
    rows = {row.path: row for row in bisect(right.network(), right.original, right.inputs).rows}
    assert rows["encoder.layer.0.intermediate"].verdict is Verdict.DIVIDED
    assert rows["encoder.layer.0"].verdict is Verdict.AGREES


def test_a_module_that_the_original_has_not_is_said_to_be_absent() -> None:
    class Plain(torch.nn.Module):
        """LeNet with its weights in no modules but the first two."""

        def __init__(self, full: Any) -> None:
            super().__init__()
            self.conv1, self.conv2 = full.conv1, full.conv2
            self.w = torch.nn.ParameterList(p for f in (full.fc1, full.fc2, full.fc3) for p in (f.weight, f.bias))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for conv in (self.conv1, self.conv2):
                x = torch.nn.functional.max_pool2d(conv(x).relu(), 2)
            x = torch.nn.functional.linear(x.flatten(1), self.w[0], self.w[1]).relu()
            x = torch.nn.functional.linear(x, self.w[2], self.w[3]).relu()
            return torch.nn.functional.linear(x, self.w[4], self.w[5])

    right = RIGHT["lenet"]()
    found = bisect(right.network(), Plain(right.original), right.inputs)
    assert found.module is None
    assert {row.path for row in found.rows if row.verdict is Verdict.ABSENT} == {"fc1", "fc2", "fc3"}


def test_the_report(tmp_path: Path) -> None:
    bug = BUGS["wrong_padding"]()
    found = bisect(bug.network(), bug.original, bug.inputs)
    text = str(found)
    assert "layer2.0.conv1 (Conv2d) computes something else: its inputs agree to" in text
    assert "padding is 'same' here, 1 in torch" in text and "layer1.1.bn2" in text and "layer4" not in text
    document = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert document["module"] == "layer2.0.conv1" and len(document["rows"]) == len(found.rows)
    found.save(tmp_path / "b.html")
    page = (tmp_path / "b.html").read_text()
    assert "<svg" in page and "layer4.1.bn2" in page and "src=" not in page and 'href="http' not in page


class Many(nn.Module):
    """A convolution that is upsampled, and what is best of it. given: outputs that it returns."""

    inputs = {"x": trtnet.Input((2, 3, 4, 4))}

    def __init__(self, given: str, align_corners: bool = False, best: Any = ops.argmax) -> None:
        self.conv = nn.Conv2d(3, 3, 1)
        self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=align_corners)
        self.given, self.best = given.split(), best

    def forward(self, x: Any) -> Any:
        y = self.up(self.conv(x))
        results = {"values": y, "mask": y > 0, "best": self.best(y.flatten(1), -1), "twice": y * 2}
        return {name: results[name] for name in self.given}


class TorchMany(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.up = torch.nn.Conv2d(3, 3, 1), torch.nn.Upsample(scale_factor=2, mode="bilinear")

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        y = self.up(self.conv(x))
        return {"values": y, "mask": y > 0, "best": y.flatten(1).argmax(-1)}


MANY = np.random.default_rng(0).standard_normal((2, 3, 4, 4)).astype(np.float32)


def many(given: str = "values mask best", weights: Any = None, **arguments: Any) -> trtnet.DefinedNetwork:
    return trtnet.define(Many(given, **arguments), weights=weights or TorchMany())


def test_an_expected_output_that_is_missing_is_not_passed_over() -> None:
    with pytest.raises(
        InputError, match=r"reference are missing: mask; there are values, best.*--output values=values"
    ):
        bisect(many("values best"), TorchMany(), MANY)
    assert bisect(many("values best"), TorchMany(), MANY, outputs={"best": "best"}).module is None
    more = bisect(many("twice values mask best"), TorchMany(), MANY)
    assert more.module is None and any("not expected: twice" in note for note in more.notes)


def test_settings_of_a_layer_that_is_a_function_and_ratios_of_integers() -> None:
    (finding,) = bisect(many(align_corners=True), TorchMany(), MANY).findings
    assert finding.row.path == "up" and "align_corners is True here, False in torch" in finding.reasons
    assert bisect(many(), TorchMany(), MANY).harmless == ()
    (finding,) = bisect(many(best=ops.argmin), TorchMany(), MANY).findings
    assert finding.row.path == "" and not any("times torch's" in reason for reason in finding.reasons)


@pytest.mark.parametrize(("value", "says"), [(0.0, "bias is all zeros here"), (0.5, "bias is 0.5 everywhere here")])
def test_weights_of_one_value_have_no_twin(value: float, says: str) -> None:
    original = TorchMany()
    original.register_buffer("other", torch.full((3,), value))
    weights = {"conv.weight": original.conv.weight, "conv.bias": torch.full((3,), value)}
    (finding,) = bisect(many(weights=weights), original, MANY).findings
    assert finding.row.path == "conv" and says in finding.reasons


def test_the_inputs_are_those_that_the_network_declares() -> None:
    with pytest.raises(InputError, match=r"^input x \[2, 3, 4, 4\] float32: found \[2, 1, 4, 4\] float32$"):
        bisect(many(), TorchMany(), MANY[:, :1])


def test_the_inputs_of_one_call_are_taken() -> None:
    right = RIGHT["lenet"]()
    with pytest.raises(InputError, match="one call; found those of 2"):
        bisect(right.network(), right.original, [right.inputs, right.inputs])


@pytest.mark.parametrize("wrong", ["", "layers.0", "layers.10", "layers.19"])
def test_rows_that_are_left_out_are_dots(wrong: str) -> None:
    class Deep(nn.Module):
        inputs = {"x": trtnet.Input((4, 8))}

        def __init__(self) -> None:
            self.layers = nn.ModuleList([nn.Linear(8, 8) for _ in range(20)])

        def forward(self, x: Any) -> Any:
            for layer in self.layers:
                x = layer(x)
            return x

    class TorchDeep(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.ModuleList([torch.nn.Linear(8, 8) for _ in range(20)])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for layer in self.layers:
                x = layer(x)
            return x

    original = TorchDeep()
    weights = {k: v * 2 if k == f"{wrong}.weight" else v for k, v in original.state_dict().items()}
    x = np.random.default_rng(0).standard_normal((4, 8)).astype(np.float32)
    found = bisect(trtnet.define(Deep(), weights=weights), original, x)
    lines = [line.split("\u2502")[1:3] for line in str(found).splitlines() if line.startswith("\u2502")]
    names = [name.strip() for name, _ in lines]
    left_out = sum(int(kind.split()[0]) for name, kind in lines if name.strip() == "...")
    assert found.module == (wrong or None) and len(found.rows) == 21 == left_out + sum(n != "..." for n in names)
    if wrong:
        around = {"layers.0": [4, None], "layers.10": [0, 8], "layers.19": [0, None]}[wrong]
        assert [names.index("...") if around[0] else 0, names[1:].index("...") + 1 if around[1] else None] == around
