"""What `trtnet quantize` quantizes beside products, and what it leaves in floats: the table, and what comes of it."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.comparing import relative_l2
from helpers.definition.convolutional_networks import (
    INPUTS,
    ConvNeXt,
    DenseNet,
    Inception,
    ResNet,
    data,
    made,
    scales,
)
from safetensors.numpy import load_file
from typer.testing import CliRunner

import trtnet
from trtnet import nn, ops
from trtnet.cli.main import app
from trtnet.support.errors import ModelError
from trtnet.tools.quantize.page import page
from trtnet.tools.quantize.placing.rules import FLOAT8, INT8, ROWS, Product, placement_of
from trtnet.tools.quantize.report import table, to_json

WIDE = Product("w", (64, 64))
IMAGE = Product("w", (64, 64), (3, 3))
FEW, ROW, END = "has no fast kernel in 8 bits", "is bound by its weights", "the first and the last layer"


@pytest.mark.parametrize(
    ("target", "dtype", "product", "why"),
    [
        ("tensorrt", INT8, WIDE, ""),
        ("tensorrt", INT8, IMAGE, ""),
        ("tensorrt", INT8, Product("w", (64, 64), rows=1), ROW),
        ("tensorrt", FLOAT8, Product("w", (64, 1), rows=9), ROW),
        ("tensorrt:8.6", INT8, Product("w", (3, 64), (3, 3)), FEW),
        ("tensorrt", FLOAT8, Product("w", (64, 8), (3, 3)), FEW),
        ("tensorrt", INT8, Product("w", (8, 8)), ""),  # a product has no channels of an image
        ("tensorrt", INT8, Product("w", (64, 64), is_end=True), END),
        ("tensorrt:8.9", FLOAT8, Product("w", (64, 64), (1, 32)), "has no float8 kernel"),
        ("tensorrt", INT8, Product("w", (64, 64), (32, 32)), ""),
        ("tensorrt", FLOAT8, Product("w", (64, 64), (3, 3), groups=64), "grouped"),
        ("tensorrt", INT8, Product("w", (64, 64), (3, 3), groups=64), ""),
        ("tensorrt_rtx", INT8, Product("w", (3, 8), (3, 3), is_end=True), ""),
        ("tensorrt_rtx:12.0", INT8, IMAGE, ""),
        ("tensorrt_rtx:9.0", INT8, IMAGE, "does not build int8 convolutions"),
        ("tensorrt_rtx:9.0", FLOAT8, IMAGE, r"1\.27 times"),
        ("tensorrt_rtx:9.0", INT8, WIDE, ""),
        ("few_channels", INT8, Product("w", (3, 8), (3, 3), is_end=True), FEW),
        ("large_windows", INT8, Product("w", (64, 64), (32, 32)), ""),  # a row of float8
        ("none", INT8, Product("w", (3, 8), (3, 3), rows=1), ""),
        ("tensorrt", "", Product("w", (3, 8), (3, 3)), ""),  # weights alone
    ],
)
def test_the_table_leaves_in_floats_what_does_not_pay(target: str, dtype: str, product: Product, why: str) -> None:
    found = placement_of(target, dtype, measured=False).reason(product, dtype)
    assert why in found.replace("1.27", r"1\.27") and bool(found) == bool(why)


def test_activations_are_for_int8_on_tensorrt_unless_they_are_asked_for() -> None:
    kinds = {
        (target, dtype): [*placement_of(target, dtype, measured=False).kinds()]
        for target in ("tensorrt", "tensorrt:9.0", "tensorrt_rtx", "tensorrt_rtx:9.0", None)
        for dtype in (INT8, FLOAT8, "")
    }
    assert {key for key, found in kinds.items() if found} == {("tensorrt", INT8), ("tensorrt:9.0", INT8)}
    assert kinds["tensorrt", INT8] == ["sum", "concatenation", "norm"]
    assert [*placement_of(["norms", "sums"], FLOAT8, measured=False).kinds()] == ["norm", "sum"]
    end = Product("w", (64, 64), is_end=True)
    assert placement_of("tensorrt", INT8, measured=True).reason(end, INT8) == ""  # a tolerance measures it
    assert len({row.name for row in ROWS}) == len(ROWS)


def quantized(model: torch.nn.Module, file: Path, placement: str, **options: Any) -> Any:
    return trtnet.quantize(model, data(), file, INPUTS, placement=placement, **options)


@pytest.mark.parametrize(
    ("model", "placement", "names", "most"),
    [
        (ResNet(), "sums", ["layer1.add", "layer2.add"], 0.015),
        (DenseNet(), "concatenations", ["layer2.cat", "cat"], 0.02),
        (Inception(), "concatenations", ["cat"], 0.02),
        (ConvNeXt(), "norms", ["norm"], 0.03),
    ],
    ids=["ResNet", "DenseNet", "Inception", "ConvNeXt"],
)
def test_networks_keep_their_outputs(
    model: torch.nn.Module, placement: str, names: list[str], most: float, tmp_path: Path
) -> None:
    """On samples that did not calibrate: at most 1.5 times the error without these, too."""
    file, x = tmp_path / "q.safetensors", data(seed=1)["x"]
    with torch.no_grad():
        wanted = made(model)(torch.from_numpy(x)).numpy()
    errors = {}
    for each in ("none", placement):
        found = quantized(model, file, each)
        network = trtnet.define(model, INPUTS, file, quantization="checkpoint")
        errors[each] = relative_l2(network.reference()(x), wanted)
        assert [row.name for row in found.activations] == ([] if each == "none" else names)
    assert 0 < errors[placement] < min(most, 1.5 * errors["none"]), errors
    assert [name for name in network.describe().quantization if not name.endswith(".weight")] == names
    kept = load_file(file)
    assert {f"{row.name}.input_scale": pytest.approx(row.scale) for row in found.activations}.items() <= {
        key: array.item() for key, array in kept.items() if array.size == 1
    }.items()
    half = trtnet.define(model, INPUTS, file, quantization="checkpoint", dtype="float16")
    plan = half.build({"n": (1, 4, 8)}, trtnet.BuildConfig(compute_capabilities=("8.9",))).plan
    assert plan.info.quantization == network.describe().quantization


def test_a_sum_whose_convolutions_stay_floats_is_said_to_stay_too(tmp_path: Path) -> None:
    file, model = tmp_path / "q.safetensors", made(ResNet())
    alone = {row.key: row.alone for row in quantized(model, file, "sums", tolerance=1.0).rows}
    assert all(alone.values())
    found = quantized(model, file, "sums", tolerance=1.01 * min(filter(None, alone.values())))
    left = {name for name in ("layer1.add", "layer2.add") if name not in [row.name for row in found.activations]}
    assert left and found.others == dict.fromkeys(left, "no convolution beside it is quantized")


def test_a_sum_has_the_scale_of_the_convolution_that_reads_the_same(tmp_path: Path) -> None:
    file = tmp_path / "q.safetensors"
    quantized(made(ResNet()), file, "sums")
    found = scales(trtnet.define(ResNet().eval(), INPUTS, file, quantization="checkpoint"))
    assert len(found) == 9 and found["layer1/quantize"] == found["layer1.conv1/quantize"]


def test_concatenations_that_share_tensors_have_one_scale_and_so_has_what_reads_them(tmp_path: Path) -> None:
    file = tmp_path / "q.safetensors"
    rows = quantized(made(DenseNet()), file, "concatenations").activations
    assert rows[0].scale == rows[1].scale and [row.range for row in rows] == ["", "layer2.cat"]
    found = scales(trtnet.define(DenseNet().eval(), INPUTS, file, quantization="checkpoint"))
    of_parts = [scale for name, scale in found.items() if name.split("/")[0] in ("layer2", "quantize", "quantize_1")]
    assert len(of_parts) == 3 and len({*of_parts}) == 1 and len(found) == 7  # three parts, each quantized once
    (row,) = quantized(made(Inception()), file, "concatenations").activations
    found = scales(trtnet.define(Inception().eval(), INPUTS, file, quantization="checkpoint"))
    assert row.inputs == ("conv.weight",)
    assert found["quantize"] == found["quantize_1"] == found["conv/quantize"] == pytest.approx(row.scale)


def test_an_activation_follows_its_convolution_and_a_reason_is_told(tmp_path: Path) -> None:
    file = tmp_path / "q.safetensors"
    found = quantized(made(ResNet()), file, "sums", skip=["layer1.conv2"])
    assert [row.name for row in found.activations] == ["layer2.add"]
    placed = quantized(made(ResNet()), file, "tensorrt")
    assert placed.reasons.keys() == {"conv1.weight", "fc.weight"} and FEW in placed.reasons["conv1.weight"]
    loose = quantized(made(ResNet()), file, "tensorrt", tolerance=1.0)
    assert loose.reasons.keys() == {"conv1.weight"}  # of few channels; the last is measured
    tight = quantized(made(ResNet()), file, "sums", tolerance=0.004)
    kept = {row.key for row in tight.rows}
    of = {"layer1.add": "layer1.conv2.weight", "layer2.add": "layer2.conv2.weight"}
    assert 0 < len(kept) < 7 and [row.name for row in tight.activations] == [n for n, key in of.items() if key in kept]
    text = str([list(column.cells) for column in table(loose).columns]) + page(loose, "m", {}) + str(to_json(loose))
    assert text.count("layer1.add") == 3 and text.count("sum in int8") >= 6


def test_the_command_takes_names_and_targets(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", image=np.random.default_rng(0).random((4, 1, 28, 28), np.float32))
    given = ("quantize", "lenet", "--weights", "trtnet:lenet.safetensors", "--data", tmp_path / "x.npz", "--json", "-")
    found = {}
    for placement in ("few_channels,ends", "tensorrt_rtx:9.0", "sums"):
        out = tmp_path / f"{placement.partition(':')[0]}"
        out.mkdir()
        told = CliRunner().invoke(app, [*map(str, given), "--placement", placement, "-o", str(out / "q.safetensors")])
        found[placement] = (
            told.exit_code,
            json.loads(told.stdout)["reasons"] if told.exit_code == 0 else str(told.exception),
        )
    assert found["few_channels,ends"] == (0, dict(zip(("conv1.weight", "conv2.weight", "fc3.weight"), (
        "a convolution of fewer than 16 channels has no fast kernel in 8 bits",
        "a convolution of fewer than 16 channels has no fast kernel in 8 bits",
        "the first and the last layer lose most, unless a tolerance measures them",
    ), strict=True)))  # fmt: skip
    assert found["tensorrt_rtx:9.0"][0] == 0 and {*found["tensorrt_rtx:9.0"][1]} == {"conv1.weight", "conv2.weight"}
    assert found["sums"][0] == 1 and "the network has no sum" in found["sums"][1]


def test_zeros_have_no_range(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    model = made(ResNet())
    model.layer2.downsample[1].weight.data.zero_()
    model.layer2.downsample[1].bias.data.zero_()
    with caplog.at_level(logging.WARNING):
        found = quantized(model, tmp_path / "q.safetensors", "sums")
    assert [row.name for row in found.activations] == ["layer1.add"]
    assert "nothing but zeros was seen of the operands: layer2.add" in caplog.text


def test_smoothed_inputs_and_activations_are_in_one_file(tmp_path: Path) -> None:
    """ModelOpt's format, whose configuration has groups as well."""
    file = tmp_path / "q.safetensors"
    found = quantized(made(ResNet()), file, "sums", smooth=0.5)
    said = json.loads((tmp_path / "config.json").read_text())["quantization_config"]
    assert said["quant_method"] == "modelopt" and said["config_groups"]["group_1"]["targets"][0] == "layer1.add"
    network = trtnet.define(ResNet().eval(), INPUTS, file, quantization="checkpoint")
    assert {*network.quantized.activations} == {row.name for row in found.activations} != set()


@pytest.mark.parametrize(
    ("model", "options", "words"),
    [
        (ResNet, {"placement": "norms"}, "norms: the network has no layer norm of what a quantized convolution makes"),
        (ResNet, {"placement": ["sums", "concatenations"]}, "concatenations: the network has no concatenation of what"),
        (DenseNet, {"placement": "sums"}, "sums: the network has no sum of a quantized convolution and another branch"),
        (ResNet, {"placement": "sum"}, "there is no 'sum'; it is a target, such as tensorrt:8.9, or rows of the table"),
        (ResNet, {"placement": "sums,none"}, "'none' stands alone; found it beside 'sums'"),
        (ResNet, {"placement": "tensorrt:ada"}, "a target is tensorrt, or tensorrt:8.9 with a compute capability"),
        (ResNet, {"placement": "sums", "scheme": "int8_weights"}, "are for schemes with calibrated inputs: int8, fp8"),
        (ResNet, {"placement": "norms", "scheme": "mxfp8"}, "are for schemes with calibrated inputs"),
        (ResNet, {"placement": "sums", "skip": ["layer*.conv2"]}, "sums: the network has no sum of a quantized"),
        (Inception, {"placement": "tensorrt_rtx:9.0", "skip": ["fc"]}, "does not build int8 convolutions"),
    ],
)
def test_what_is_not_there_is_said(model: Any, options: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=words):
        trtnet.quantize(made(model()), data(), tmp_path / "q.safetensors", INPUTS, **options)


class Controlled(nn.Module):
    """A sum and a concatenation in a loop, and a sum in a branch."""

    inputs = {"x": trtnet.Input(("n", 3, 4, 5, 5)), "again": trtnet.Input((1,), "bool")}

    def __init__(self) -> None:
        self.state, self.mix, self.branch = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(8, 4, 1), nn.Conv2d(4, 4, 1)

    def forward(self, x: trtnet.Tensor, again: trtnet.Tensor) -> trtnet.Tensor:
        def step(h: trtnet.Tensor, part: trtnet.Tensor) -> tuple[trtnet.Tensor, trtnet.Tensor]:
            h = ops.tanh(self.mix(ops.cat([ops.relu(self.state(h) + part), part], 1)))
            return h, h

        last, _ = ops.scan(step, x[:, 0], x, dim=1)
        return ops.cond(again, lambda y: self.branch(y) + y, lambda y: -y, [last])


def test_operations_in_loops_and_branches_are_calibrated(tmp_path: Path) -> None:
    rng, file = np.random.default_rng(0), tmp_path / "q.safetensors"
    shapes = {"state": (4, 4, 3, 3), "mix": (4, 8, 1, 1), "branch": (4, 4, 1, 1)}
    weights = {f"{name}.weight": rng.standard_normal(shape).astype(np.float32) / 3 for name, shape in shapes.items()}
    weights |= {f"{name}.bias": np.full(4, 0.1, np.float32) for name in shapes}
    x = rng.standard_normal((6, 3, 4, 5, 5)).astype(np.float32)
    given = {"x": x, "again": np.ones(6, bool)}
    found = trtnet.quantize(
        Controlled(), given, file, weights=weights, method="max", batch=1, placement="sums,concatenations"
    )
    assert [(row.name, row.range) for row in found.activations] == [("add", "cat"), ("cat", ""), ("add_1", "")]
    assert found.activations[0].largest >= np.abs(x).max()  # all iterations are seen
    network, floats = (
        trtnet.define(Controlled(), weights=source, quantization=said).reference()
        for source, said in ((file, "checkpoint"), (weights, None))
    )
    for again in (True, False):
        call = {"x": x[:1], "again": np.array([again])}
        assert 0 < relative_l2(network(**call), floats(**call)) < 0.05


def test_a_module_with_the_name_of_a_sum_keeps_its_own_scale(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            self.conv, self.add = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)

        def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
            return self.add(self.conv(x) + x)

    kernel = np.random.default_rng(0).standard_normal((3, 3, 1, 1)).astype(np.float32)
    weights = {f"{name}.{part}": kernel if part == "weight" else kernel[0, :, 0, 0]
               for name in ("conv", "add") for part in ("weight", "bias")}  # fmt: skip
    file = tmp_path / "q.safetensors"
    with pytest.raises(ModelError, match="sums: the network has no sum"):
        trtnet.quantize(Named(), data(), file, INPUTS, weights, placement="sums")
    assert "add stays in floats: a module of the model has its name" in caplog.text


def test_a_checkpoint_of_another_network_is_an_error(tmp_path: Path) -> None:
    class Apart(ResNet):
        """Without the blocks' sums."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.relu(self.bn1(self.conv1(x)))
            x = self.layer1.bn2(self.layer1.conv2(self.layer1.bn1(self.layer1.conv1(x))))
            return self.fc(self.layer2.bn1(self.layer2.conv1(x)).mean((2, 3)))

    file = tmp_path / "q.safetensors"
    quantized(made(ResNet()), file, "sums")
    with pytest.raises(ModelError, match=r"layer1\.add has a scale of its operands, and the network has no sum"):
        trtnet.define(Apart().eval(), INPUTS, file, quantization="checkpoint", strict=False)
    kept = {"layer*.add": "none", "*": "checkpoint"}
    network = trtnet.define(ResNet().eval(), INPUTS, file, quantization=kept)
    assert not network.quantized.activations and len(scales(network)) == 7
