"""Quantized networks: what a checkpoint holds quantized, and float weights by schemes."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.comparing import relative_l2
from helpers.definition.measured_inputs import rounded
from safetensors.numpy import save_file

import trtnet
from trtnet import nn, ops
from trtnet.builder.build import _advice as advice
from trtnet.checkpoint.quantized.quantization import quantization_of
from trtnet.checkpoint.quantized.rounding import quantize
from trtnet.definition.quantization import NAMED
from trtnet.definition.quantization.schemes import scheme_of
from trtnet.support import dtypes
from trtnet.support.errors import BuildError, ModelError, WeightsError

DATA = Path(__file__).parents[1] / "data" / "quantized"
PUBLISHED = sorted({folder.name for folder in DATA.iterdir()} - {"gpt_oss", "gguf", "torchao"})
RNG = np.random.default_rng(0)
Array = np.ndarray[Any, Any]


class Up(nn.Module):
    """A product, and a norm whose weight is of floats."""

    def __init__(self, rows: int, columns: int) -> None:
        self.up = nn.Linear(columns, rows, bias=False)
        self.norm = nn.RMSNorm(4)

    def forward(self, x: trtnet.Tensor) -> dict[str, trtnet.Tensor]:
        return {"y": self.up(x), "norm": self.norm(ops.full((1, 4), 1.0))}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_checkpoint_is_kept_and_gives_what_its_floats_give(name: str) -> None:
    file = DATA / name / "model.safetensors"
    found = quantization_of(file)
    assert found is not None
    weight = found.weights["up.weight"].read().dequantize("float32")
    rows, columns = weight.shape
    x = RNG.standard_normal((3, columns)).astype(np.float32)
    inputs = {"x": trtnet.Input(("n", columns))}
    keep = trtnet.Quantize("checkpoint", fallback="warn")
    network = trtnet.define(Up(rows, columns), inputs, file, quantization=keep)
    held = found.weights["up.weight"]
    scale = held.input_scale
    if held.input_block:
        assert name == "compressed_tensors_nvfp4" and scale is not None
        x_seen = rounded(x, "nvfp4", scale())
    elif scale is not None and not held.scheme.dynamic:
        assert name == "compressed_tensors_float8"
        x8 = torch.from_numpy(x / np.float32(scale())).clamp(-448, 448).to(torch.float8_e4m3fn)
        x_seen = x8.float().numpy() * np.float32(scale())
    else:
        x_seen = x
    y = network.reference()(x)["y"]
    assert relative_l2(y, x_seen @ weight.T) < 1e-6
    constants = [layer.get_output(0).dtype for layer in network.trt if layer.type.name == "CONSTANT"]
    narrow = {"INT8", "INT4", "FP8", "FP4"}
    assert narrow & {dtype.name for dtype in constants}, constants  # the weight itself, and not its floats


class Net(nn.Module):
    inputs = {"image": trtnet.Input((2, 32, 8, 8))}

    def __init__(self) -> None:
        self.conv = nn.Conv2d(32, 64, 3, padding=1)
        self.norm = nn.BatchNorm2d(64)
        self.turned = nn.ConvTranspose2d(64, 32, 2, stride=2)
        self.point = nn.Conv2d(32, 64, 1)
        self.head = nn.Linear(64, 128)

    def forward(self, image: trtnet.Tensor) -> trtnet.Tensor:
        x = ops.relu(self.norm(self.conv(image)))
        return self.head(self.point(self.turned(x)).mean((2, 3)))


class TorchNet(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = torch.nn.Conv2d(32, 64, 3, padding=1)
        self.norm = torch.nn.BatchNorm2d(64)
        self.turned = torch.nn.ConvTranspose2d(64, 32, 2, stride=2)
        self.point = torch.nn.Conv2d(32, 64, 1)
        self.head = torch.nn.Linear(64, 128)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.conv(image)))
        return self.head(self.point(self.turned(x)).mean((2, 3)))


MODEL = TorchNet().eval()
IMAGE = RNG.standard_normal((2, 32, 8, 8)).astype(np.float32)


def as_float8(x: torch.Tensor) -> torch.Tensor:
    return x.clamp(-448, 448).to(torch.float8_e4m3fn).float()


def emulated(schemes: dict[str, str], scale: float) -> Array:
    """Torch with weights that are quantized and dequantized, and inputs likewise."""
    model = TorchNet().eval()
    for path, module in model.named_children():
        if not schemes.get(path):
            continue
        scheme = NAMED[schemes[path]]
        assert scheme is not None
        weight = module.weight.detach().numpy()
        form = quantize(weight, scheme.dtype, scheme.blocks(weight.ndim), scheme.powers_of_two)
        module.weight.data = torch.from_numpy(form.dequantize("float32"))
        if scheme.inputs == "int8":
            module.register_forward_pre_hook(lambda _, x: ((x[0] / scale).round().clamp(-128, 127) * scale,))
        elif scheme.inputs:
            module.register_forward_pre_hook(lambda _, x: (as_float8(x[0] / scale) * scale,))
    with torch.no_grad():
        return model(torch.from_numpy(IMAGE)).numpy()


@pytest.mark.parametrize("model", ["dsl", "torch"])
@pytest.mark.parametrize("scheme", ["int8", "fp8", "fp8_channel", "int8_weights", "fp8_weights"])
def test_convolutions_and_products_of_both_kinds_of_models(scheme: str, model: str) -> None:
    said: Any = {"scheme": scheme, "input_scale": 0.03} if not scheme.endswith("weights") else scheme
    given = {"image": trtnet.Input((2, 32, 8, 8))}
    if model == "torch":
        network = trtnet.define(TorchNet().eval(), given, quantization={"*": said})
    else:
        network = trtnet.define(Net(), weights=MODEL.state_dict(), quantization={"*": said})
    wanted = emulated(dict.fromkeys(("conv", "turned", "point", "head"), scheme), 0.03)
    assert relative_l2(network.reference()(IMAGE), wanted) < 1e-5
    assert set(network.quantized.used) == {f"{name}.weight" for name in ("conv", "turned", "point", "head")}
    assert len(network.build().plan.data) > 1000


@pytest.mark.parametrize("scheme", ["int4_weights", "nvfp4_weights", "mxfp4_weights", "mxfp8_weights", "fp8_blocks"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_blocks_of_products(scheme: str, dtype: str) -> None:
    weight = (RNG.standard_normal((256, 256)) * 0.1).astype(np.float32)
    x = RNG.standard_normal((3, 256)).astype(dtypes.get(dtype).numpy)
    given = {"x": trtnet.Input(("n", 256))}
    layer = nn.Linear(256, 256, bias=False)
    network = trtnet.define(layer, given, {"weight": weight}, dtype=dtype, quantization={"*": scheme})
    named = NAMED[scheme]
    assert named is not None
    form = quantize(weight, named.dtype, named.blocks(2), named.powers_of_two)
    wanted = x.astype(np.float32) @ form.dequantize("float32").T
    bound = {"float32": 1e-6, "float16": 2e-3, "bfloat16": 1.6e-2}[dtype]
    assert relative_l2(network.reference()(x).astype(np.float32), wanted) < bound
    assert relative_l2(form.dequantize("float32"), weight) < {"fp8_blocks": 0.04, "mxfp8_weights": 0.05}.get(
        scheme, 0.17
    )
    assert len(network.build({"n": (1, 4, 8)}).plan.data) > 1000


def test_int4_with_zero_points_is_exact_and_small() -> None:
    size, group = 2048, 128
    codes = RNG.integers(0, 16, (size, size), dtype=np.uint8)
    zeros = RNG.integers(0, 16, (size // group, size), dtype=np.uint8)
    scales = (RNG.random((size // group, size)) * 0.01 + 0.001).astype(np.float16)
    order = (0, 2, 4, 6, 1, 3, 5, 7)
    shifts = np.arange(0, 32, 4, dtype=np.uint32)

    def words(values: Array) -> Array:
        places = values.reshape(len(values), -1, 8)[..., order].astype(np.uint32)
        return np.bitwise_or.reduce(places << shifts, -1).view(np.int32)

    state = {"up.qweight": words(codes.T), "up.qzeros": words(zeros), "up.scales": scales}
    wanted = (codes.T.astype(np.float32) - zeros.repeat(group, 0)) * scales.astype(np.float32).repeat(group, 0)
    model, given = nn.Sequential(), {"input": trtnet.Input(("n", size))}
    model.add_module("up", nn.Linear(size, size, bias=False))
    x = RNG.standard_normal((3, size)).astype(np.float32)
    network = trtnet.define(model, given, state, quantization="checkpoint")
    assert relative_l2(network.reference()(x), x @ wanted) < 1e-6
    half = trtnet.define(model, given, state, dtype="float16", quantization="checkpoint")
    assert relative_l2(half.reference()(x.astype(np.float16)).astype(np.float32), x @ wanted) < 2e-3
    floats = trtnet.define(model, given, {"up.weight": wanted.T.copy()}, dtype="float16")
    dims = {"n": (1, 4, 16)}
    assert len(half.build(dims).plan.data) <= 0.30 * len(floats.build(dims).plan.data)


def test_an_embedding_and_a_transposed_product() -> None:
    class Model(nn.Module):
        inputs = {"ids": trtnet.Input(("n",), "int64")}

        def __init__(self) -> None:
            self.table = nn.Embedding(64, 128)
            self.out = nn.TransposedLinear(128, 32)

        def forward(self, ids: trtnet.Tensor) -> trtnet.Tensor:
            return self.out(self.table(ids))

    weights = {"table.weight": RNG.standard_normal((64, 128)).astype(np.float32), "out.bias": np.ones(32, np.float32),
               "out.weight": RNG.standard_normal((128, 32)).astype(np.float32)}  # fmt: skip
    said = {"table": "int8_weights", "out": {"weights": "int4", "block": 32}}
    network = trtnet.define(Model(), weights=weights, quantization=said)
    table = quantize(weights["table.weight"], dtypes.int8, (1, 0)).dequantize()
    out = quantize(weights["out.weight"], dtypes.int4, (1, 32)).dequantize()
    ids = np.array([3, 63, 0, 3])
    assert relative_l2(network.reference()(ids), table[ids] @ out + 1) < 1e-6


def test_a_file_of_schemes(tmp_path: Path) -> None:
    table = {"head": {"scheme": "int8", "input_scale": 0.03}, "conv": "none", "*": "int8_weights"}
    (tmp_path / "q.json").write_text(json.dumps(table))
    network = trtnet.define(Net(), weights=MODEL.state_dict(), quantization=tmp_path / "q.json")
    assert network.describe().quantization == {
        "turned.weight": "int8, a scale a channel",
        "point.weight": "int8, a scale a channel",
        "head.weight": "int8, a scale a channel, inputs in int8",
    }
    (tmp_path / "q.toml").write_text('"*" = "int8_weights"\n')
    assert len(trtnet.define(Net(), weights=MODEL.state_dict(), quantization=tmp_path / "q.toml").quantized.used) == 4


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            {"hed": "int8_weights"},
            "'hed' matches no module with a weight of its own; the nearest are conv, head, point",
        ),
        ({"head": "int9"}, "it is one of none, int8, fp8"),
        ({"head": {"scheme": "int9"}}, "there is no scheme 'int9'"),
        ({"head": {"block": 0}}, "found 0"),
        ({"head": {"block": np.ones(2)}}, "found array([1., 1.])"),
        ({"head": {"blocks": 3}}, "a scheme has scheme, weights, block"),
        ({"head": {"weights": "float16"}}, "weights is one of int8, int4"),
        ({"head": {"scheme": "int8", "input_scale": -1}}, "input_scale is above 0"),
        ({"head": {"scheme": "int8", "input_scale": "0.1"}}, "input_scale is above 0, found '0.1'"),
        ({"head": {"scheme": "int8", "input_scale": True}}, "input_scale is above 0, found True"),
        ({"head": {"scheme": "int8", "input_scale": float("inf")}}, "input_scale is above 0, found inf"),
        ({"head": {"scheme": "int8", "input_scale": 1e-40}}, "input_scale is above 0, found 1e-40"),
        ({"head": {"powers_of_two": True}}, "powers_of_two is for weights in float8_e4m3fn and float4_e2m1fn"),
        ({"head": {"scheme": "mxfp8", "powers_of_two": "yes"}}, "found 'yes' for float8_e4m3fn"),
        ({"head": {"scheme": "nvfp4", "input_block": np.ones(2)}}, "input_block is 16 for inputs in float4_e2m1fn"),
        ({3: "int8_weights"}, "a pattern of module paths is a text, found 3"),
        (
            {"conv": {"weights": "float4_e2m1fn"}},
            "TensorRT takes blocks of 4 bits along one axis, found a scale a channel",
        ),
        ({"head": "int8"}, "there is no scale for them"),
        ({"conv": "int4_weights"}, "conv.weight [64, 32, 3, 3] is not a matrix"),
        ("model.onnx", 'is "checkpoint", a mapping, or a .toml or .json file'),
        ("none.toml", "cannot read the quantization"),
        ("checkpoint", "has no quantized weights"),
    ],
)
def test_what_is_not_a_quantization_is_rejected(said: Any, words: str) -> None:
    with pytest.raises((ModelError, WeightsError), match=re.escape(words)):
        trtnet.define(Net(), weights=MODEL.state_dict(), quantization=said)


def test_blocks_that_do_not_divide_are_refused() -> None:
    with pytest.raises(WeightsError, match="do not divide a weight"):
        trtnet.define(Net(), weights=MODEL.state_dict(), quantization={"head": {"weights": "int4", "block": 48}})


def test_what_stays_in_floats_is_said(caplog: pytest.LogCaptureFixture) -> None:
    class Model(nn.Module):
        inputs = {"x": trtnet.Input((2, 8))}

        def __init__(self) -> None:
            self.weight = nn.Parameter(8, 8)

        def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
            return x + self.weight[:2]

    weights = {"weight": np.ones((8, 8), np.float32)}
    with pytest.raises(ModelError, match="weight is used by an operation that computes with its floats"):
        trtnet.define(Model(), weights=weights, quantization={"*": "int8_weights"})
    with caplog.at_level(logging.WARNING, "trtnet.quantization"):
        network = trtnet.define(Model(), weights=weights, quantization=trtnet.Quantize({"*": "int8_weights"}, "warn"))
    assert "1 part of the network stays in floats" in caplog.text
    assert network.reference()(np.zeros((2, 8), np.float32)).tolist() == np.ones((2, 8)).tolist()
    with pytest.raises(ModelError, match='fallback is "error" or "warn"'):
        trtnet.Quantize("checkpoint", "silent")


def test_measured_scales_of_inputs_are_said() -> None:
    file = DATA / "compressed_tensors_int8" / "model.safetensors"
    with pytest.raises(ModelError, match=r"up.weight: its inputs were in int8 with scales measured at run time"):
        trtnet.define(Up(24, 128), {"x": trtnet.Input((1, 128))}, file, quantization="checkpoint")


def test_a_quantized_checkpoint_without_a_word_is_explained(tmp_path: Path) -> None:
    file = DATA / "awq" / "model.safetensors"
    with pytest.raises(
        WeightsError, match=r'the checkpoint is quantized .AutoAWQ(.|\n)*quantization="checkpoint" or --quantization'
    ) as caught:
        trtnet.define(Up(32, 128), {"x": trtnet.Input((1, 128))}, file)
    assert caught.value.missing == ("up.weight",)
    save_file({"up.weight": np.ones((3, 3), np.float32)}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError) as other:
        trtnet.define(Up(32, 128), {"x": trtnet.Input((1, 128))}, tmp_path / "w.safetensors")
    assert "is quantized" not in str(other.value)


def test_a_shape_that_does_not_fit_a_kept_checkpoint_is_said_as_for_floats() -> None:
    file = DATA / "gptq" / "model.safetensors"
    with pytest.raises(WeightsError) as caught:
        trtnet.define(Up(31, 128), {"x": trtnet.Input((1, 128))}, file, quantization="checkpoint")
    assert caught.value.mismatched == (("up.weight", (31, 128), (32, 128)),)
    assert "is quantized" not in str(caught.value)


def test_a_checkpoint_that_is_dequantized_is_one_of_floats() -> None:
    found = quantization_of(DATA / "gptq" / "model.safetensors")
    assert found is not None
    renamed = trtnet.weights.parse_rules("[[rules]]\nadd_prefix = 'model.'", "prefix").apply(found.dequantized())
    for checkpoint in (found.dequantized(), renamed):
        assert quantization_of(checkpoint) is None
        assert trtnet.weights.detect(checkpoint).quantization is None


def test_renamed_weights_stay_quantized() -> None:
    found = quantization_of(DATA / "gptq" / "model.safetensors")
    assert found is not None
    renamed = trtnet.weights.parse_rules("[[rules]]\nadd_prefix = 'model.'", "prefix").apply(found.dequantized())
    model = nn.Sequential()
    model.add_module("model", Up(32, 128))
    network = trtnet.define(model, {"input": trtnet.Input((1, 128))}, renamed, quantization="checkpoint")
    assert network.quantized.used == {"model.up.weight"}


def test_gpus_that_lack_a_type_are_refused_and_what_brings_no_speed_is_said(caplog: pytest.LogCaptureFixture) -> None:
    def built(scheme: str, *capabilities: str) -> str:
        caplog.clear()
        network = trtnet.define(Net(), weights=MODEL.state_dict(), quantization={"head": scheme})
        with caplog.at_level(logging.WARNING, "trtnet.quantization"):
            network.build(config=trtnet.BuildConfig(compute_capabilities=capabilities))
        return caplog.text

    with pytest.raises(BuildError, match=r"1 weight is in float8_e4m3fn, which GPUs since Ada have .8\.9.*has 8\.6"):
        built("fp8_weights", "8.9", "8.6")
    with pytest.raises(BuildError, match=r"float4_e2m1fn, which GPUs since Blackwell have"):
        built("mxfp4_weights", "8.9")
    assert "the engine is for GPUs since Ada (8.9)" in built("fp8_weights")
    assert "are made floats while the engine is built" in built("fp8_weights", "8.9")
    assert "no kernel of products takes float8 in blocks along both axes" in built("fp8_blocks", "8.9")
    assert "weights alone in int8 take 1.4 to 7 times the time of float16" in built("int8_weights")
    assert built("int8_weights", "8.0") == built("mxfp4_weights", "12.0") == ""
    for malformed in ("sm_90", "8.9+PTX"):
        with pytest.raises(BuildError, match=re.escape(f"found {malformed!r}")):
            built("fp8_weights", malformed)


def test_what_a_rule_computes_with_is_said() -> None:
    found = quantization_of(DATA / "gptq" / "model.safetensors")
    assert found is not None
    halves = "[[rules]]\nsplit = '^up.weight$'\ninto = ['a.weight', 'b.weight']\ndim = 1"
    changed = trtnet.weights.parse_rules(halves, "halves").apply(found.dequantized())
    renamed = trtnet.weights.parse_rules("[[rules]]\nrename = '^a'\nto = 'up'", "again").apply(changed)
    given = {"x": trtnet.Input((1, 64))}
    with pytest.raises(ModelError, match=r"up.weight is computed by a rule, in floats, from up.weight"):
        trtnet.define(Up(32, 64), given, renamed, ignored=["b.weight"], quantization="checkpoint")
    network = trtnet.define(Up(32, 64), given, renamed, ignored=["b.weight"])
    x = RNG.standard_normal((1, 64)).astype(np.float32)
    wanted = x @ found.dequantized()["up.weight"][:, :64].astype(np.float32).T
    assert relative_l2(network.reference()(x)["y"], wanted) < 1e-6


@pytest.mark.parametrize("name", ["gguf", "torchao"])
def test_every_kind_of_weight_of_a_file_is_kept(name: str) -> None:
    file = next(path for path in (DATA / name).iterdir() if path.stem == "model")
    found = quantization_of(file)
    assert found is not None
    floats = {key: weight.read().dequantize("float32") for key, weight in found.weights.items()}
    rows, columns = next(iter(floats.values())).shape
    names = [key.removesuffix(".weight") for key in floats]

    class Model(nn.Module):
        inputs = {"x": trtnet.Input(("n", columns))}

        def __init__(self) -> None:
            for each in names:
                setattr(self, each, nn.Linear(columns, rows, bias=False))

        def forward(self, x: trtnet.Tensor) -> dict[str, trtnet.Tensor]:
            return {each: getattr(self, each)(x) for each in names}

    network = trtnet.define(Model(), weights=file, ignored=["norm.weight"], quantization="checkpoint")
    assert network.quantized.used == set(floats)
    x = RNG.standard_normal((4, columns)).astype(np.float32)
    result = network.reference()(x)
    for each in names:
        assert relative_l2(result[each], x @ floats[f"{each}.weight"].T) < 1e-6, each
    assert len(network.build({"n": (1, 4, 8)}).plan.data) > 1000


def test_experts_of_gpt_oss_are_blocks_along_their_inputs() -> None:
    file = DATA / "gpt_oss" / "model.safetensors"
    found = quantization_of(file)
    assert found is not None
    weight = found.weights["experts.gate_up_proj"].read().dequantize("float32")

    class Experts(nn.Module):
        def __init__(self) -> None:
            self.gate_up_proj = nn.Parameter(*weight.shape)

        def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
            return x @ self.gate_up_proj

    model = nn.Sequential()
    model.add_module("experts", Experts())
    inputs = {"input": trtnet.Input((weight.shape[0], 3, weight.shape[1]))}
    network = trtnet.define(model, inputs, file, ignored=["norm.weight"], quantization="checkpoint")
    x = RNG.standard_normal((weight.shape[0], 3, weight.shape[1])).astype(np.float32)
    assert relative_l2(network.reference()(x), x @ weight) < 1e-6
    assert len(network.build().plan.data) > 1000


def test_inputs_are_smoothed_before_they_are_quantized() -> None:
    weight = RNG.integers(-127, 128, (64, 128)).astype(np.int8)
    scale, factor = RNG.uniform(0.001, 0.01, 64).astype(np.float32), RNG.uniform(0.2, 3, 128).astype(np.float32)
    parts = {"weight": weight, "weight_scale": scale, "pre_quant_scale": factor, "input_scale": np.float32([0.02])}
    layer, given = nn.Linear(128, 64, bias=False), {"x": trtnet.Input((5, 128))}
    network = trtnet.define(layer, given, parts, quantization="checkpoint")
    x = RNG.standard_normal((5, 128)).astype(np.float32)
    seen = np.clip(np.rint(x * factor / np.float32(0.02)), -128, 127) * np.float32(0.02)
    wanted = seen @ (weight * scale[:, None]).T
    assert relative_l2(network.reference()(x), wanted) < 1e-6


@pytest.mark.parametrize(
    ("said", "held"),
    [
        ({"scheme": "int8", "input_scale": 0.03}, "INT8"),
        ({"weights": "float8_e4m3fn", "block": "tensor"}, "FP8"),
        ({"weights": "float8_e4m3fn", "block": [32, 16]}, "FP8"),
        ({"weights": "int8", "block": 16}, "INT8"),
        ({"weights": "int4", "block": 16}, "INT4"),
        ("nvfp4_weights", "FP4"),
    ],
)
def test_heads_of_a_quantized_product_are_computed_quantized(said: Any, held: str) -> None:
    class Attention(nn.Module):
        inputs = {"x": trtnet.Input((1, 4, 32))}  # as many positions as heads: see trtnet.ops.products.heads

        def __init__(self) -> None:
            self.qkv = nn.Linear(32, 96)

        def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
            q, k, v = self.qkv(x).reshape(1, 4, 3, 4, 8).permute(2, 0, 3, 1, 4)
            return (q @ k.transpose(-1, -2)).softmax(-1) @ v

    weights = {"qkv.weight": RNG.standard_normal((96, 32)), "qkv.bias": RNG.standard_normal(96)}
    weights = {key: value.astype(np.float32) for key, value in weights.items()}
    network = trtnet.define(Attention(), weights=weights, quantization={"qkv": said})
    x = RNG.standard_normal((1, 4, 32)).astype(np.float32)
    seen = np.clip(np.rint(x / np.float32(0.03)), -128, 127) * np.float32(0.03) if "scheme" in said else x
    scheme = scheme_of("qkv", said)
    assert scheme is not None
    rounded = weights | {"qkv.weight": quantize(weights["qkv.weight"], scheme.dtype, scheme.blocks(2)).dequantize()}
    floats = trtnet.define(Attention(), weights=rounded)
    assert relative_l2(network.reference()(x), floats.reference()(seen)) < 1e-5
    constants = {str(layer.get_output(0).dtype.name) for layer in network.trt if layer.type.name == "CONSTANT"
                 and np.prod(layer.get_output(0).shape) >= 96 * 8}  # fmt: skip
    assert constants == {held}


@pytest.mark.parametrize("scheme", ["int8", "fp8_channel"])
def test_sums_of_8_bits_have_one_scale_until_the_product_is_done(scheme: str) -> None:
    """TensorRT-RTX rounds sums to float16 before it multiplies them by a scale a channel, which is beyond 65504."""
    draw = np.random.default_rng(7).standard_normal
    weight = (draw((6, 64)) * np.linspace(0.01, 1, 6)[:, None]).astype(np.float32)
    x = draw((3, 64)).astype(np.float16).astype(np.float32)
    how = {"*": {"scheme": scheme, "input_scale": 4 / (127 if scheme == "int8" else 448)}}
    network, exact = (
        trtnet.define(nn.Linear(64, 6, bias=False), {"x": trtnet.Input((3, 64))}, {"weight": weight}, dtype=dtype,
                      quantization=how)
        for dtype in ("float16", "float32")
    )  # fmt: skip
    layers = [network.trt.get_layer(index) for index in range(network.trt.num_layers)]
    scales = [one.get_input(1).shape for one in layers if one.type.name == "DEQUANTIZE"]
    assert [tuple(shape) for shape in scales] == [(), ()]
    assert (
        relative_l2(network.reference()(x.astype(np.float16)), exact.reference()(x)) < 1e-2
    )  # some inputs round to the other side
    by_row = np.abs(network.reference()(x.astype(np.float16)) - x @ weight.T).max(0) / np.abs(x @ weight.T).max(0)
    assert by_row.max() < 0.1  # rows of small weights keep their own scales


def test_what_tensorrt_does_not_build_says_what_to_do() -> None:
    said = "TensorRT: Myelin (MyelinCheckException: cudnn_impl.cpp:89: CHECK(dtype == myelinTypeFloat ...)"
    assert "no int8 convolutions for an H200: leave them floats" in advice(said, trtnet.BuildConfig())
    assert advice("something else", trtnet.BuildConfig()) == ""


def test_blocks_of_a_type_that_a_network_does_not_have_are_not_silently_floats(tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf")
    writer = gguf.GGUFWriter(str(tmp_path / "model.gguf"), "llama")
    kinds = gguf.GGMLQuantizationType
    weight = np.random.default_rng(0).standard_normal((6, 64)).astype(np.float32)
    for key, kind in (("fc1.weight", kinds.Q8_0), ("fc2.weight", kinds.IQ4_NL)):
        blocks = np.ones((6, 36), np.uint8) if kind == kinds.IQ4_NL else gguf.quants.quantize(weight, kind)
        writer.add_tensor(key, blocks, raw_dtype=kind)
    for write in (
        writer.write_header_to_file,
        writer.write_kv_data_to_file,
        writer.write_tensors_to_file,
        writer.close,
    ):
        write()

    class Both(nn.Module):
        def __init__(self) -> None:
            self.fc1, self.fc2 = nn.Linear(64, 6, bias=False), nn.Linear(64, 6, bias=False)

        def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
            return self.fc1(x) + self.fc2(x)

    with pytest.raises(ModelError, match=r"fc2.weight is IQ4_NL in the file, which a network does not have"):
        trtnet.define(Both(), {"x": trtnet.Input((2, 64))}, tmp_path / "model.gguf", quantization="checkpoint")
    said = {"fc2": "none", "*": "checkpoint"}
    network = trtnet.define(Both(), {"x": trtnet.Input((2, 64))}, tmp_path / "model.gguf", quantization=said)
    assert {*network.describe().quantization} == {"fc1.weight"}


@pytest.mark.parametrize("key", ["up.activation_post_process.scale", "add._input_quantizer._amax"])
def test_ranges_of_what_is_no_weight_are_warned_of(key: str, caplog: pytest.LogCaptureFixture) -> None:
    weight = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))
    tensors = {"up.weight": weight, "up.weight_fake_quant.scale": torch.full((4,), 0.02)}
    tensors |= {"up.weight_fake_quant.zero_point": torch.zeros(4, dtype=torch.int32), "norm.weight": torch.ones(4)}
    trtnet.define(Up(4, 8), {"x": trtnet.Input((2, 8))}, dict(tensors), quantization="checkpoint")
    assert not caplog.text
    trtnet.define(Up(4, 8), {"x": trtnet.Input((2, 8))}, tensors | {key: torch.ones(1)}, quantization="checkpoint")
    assert f"1 range is of results or of other operations' inputs, such as {key}: those stay floats" in caplog.text
