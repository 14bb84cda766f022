"""`trtnet inspect`: the module tree of models and ONNX files, what sidecars and inspector files say, engines."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnx
import pytest
from helpers.comparing import random_weights
from helpers.tools.printed import printed
from onnx import TensorProto, helper
from typer.testing import CliRunner

import trtnet
from trtnet import nn
from trtnet.builder import Plan
from trtnet.cli.main import app
from trtnet.models import lenet
from trtnet.runtime import Engine
from trtnet.runtime.loaded.inspection import Inspection
from trtnet.runtime.loaded.loaded_engine import OpenEngine
from trtnet.support.backend import trt
from trtnet.support.diagnostics import ErrorRecorder
from trtnet.support.errors import DeviceError, InputError, ModelError, PlanError, TrtnetError
from trtnet.tools.inspect import plan as inspect_plan
from trtnet.tools.inspect.any import is_network, look
from trtnet.tools.inspect.network import ModuleSummary, NetworkSummary, summarize
from trtnet.tools.inspect.table import render
from trtnet.tools.quantities import quantity, shape
from trtnet.tools.targets.networks import Choices, module_path, open_network
from trtnet.tools.targets.placeholder_weights import Placeholder

DATA = Path(__file__).parents[1] / "data"


def summary_of(target: str, **choices: Any) -> NetworkSummary:
    return summarize(open_network(target, Choices(**choices)))


def module(summary: NetworkSummary, path: str) -> ModuleSummary:
    return next(one for one in summary.modules if one.path == path)


@pytest.fixture(scope="module")
def onnx_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A convolution in a Sequential and a sum with its input, named as torch's exporter names them."""
    kernel = helper.make_tensor("layer1.0.conv1.weight", TensorProto.FLOAT, (3, 3, 1, 1), [1.0] * 9)
    nodes = [
        helper.make_node("Conv", ["x", kernel.name], ["c"], name="/layer1/layer1.0/conv1/Conv"),
        helper.make_node("Add", ["c", "x"], ["s"], name="/layer1/layer1.0/Add"),
        helper.make_node("Relu", ["s"], ["y"], name="/Relu"),
    ]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3, 4, 4]) for name in "xy")
    model = helper.make_model(
        helper.make_graph(nodes, "g", [x], [y], [kernel]), opset_imports=[helper.make_opsetid("", 17)], ir_version=9
    )
    path = tmp_path_factory.mktemp("onnx") / "block.onnx"
    onnx.save(model, path)
    return str(path)


def test_a_model_without_weights() -> None:
    summary = summary_of("resnet18", dtype="float16", dims=["batch=2"])
    root = summary.modules[0]
    assert root.parameters == 11_689_512 and root.type == "ResNet" and root.outputs[0].shape == (2, 1000)
    conv = module(summary, "layer1.0.conv1")
    assert conv.type == "Conv2d" and conv.parameters == 64 * 64 * 9 and conv.layers == {"CONVOLUTION": 1}
    assert conv.outputs[0].shape == (2, 64, 56, 56) and conv.outputs[0].dtype == "float16"
    assert conv.flops == 2 * 2 * 64 * 56 * 56 * 64 * 9
    assert conv.weight_bytes == 2 * (64 * 64 * 9 + 64)  # with the bias that the batch norm became
    assert module(summary, "layer1.0.bn1").outputs == () and module(summary, "layer1.0.bn1").layers == {}


def test_modules_sum_up_to_the_network() -> None:
    summary = summary_of("lenet")
    root, others = summary.modules[0], [m for m in summary.modules if m.depth == 1]
    assert root.flops == summary.work.flops == sum(layer.flops for layer in summary.work.layers)
    assert root.weight_bytes == summary.work.weight_bytes == 4 * root.parameters
    assert sum(m.parameters for m in others) == root.parameters == 61_706
    assert root.layers["CONVOLUTION"] == 2 and sum(root.layers.values()) == len(summary.work.layers)


def test_weights_change_nothing_but_the_numbers_in_them() -> None:
    with_file = summary_of("lenet", weights="weights/lenet.safetensors")
    assert with_file.modules == summary_of("lenet").modules


def test_dimensions_that_are_not_given_are_one_and_ranges_count_at_their_optimum() -> None:
    one, eight, fixed = (summary_of("lenet", dims=dims) for dims in ([], ["batch=1:8:32"], ["batch=8"]))
    assert one.assumed == ("batch",) and one.sizes == {"batch": 1}
    assert eight.assumed == () and eight.work.flops == 8 * one.work.flops == fixed.work.flops
    assert "batch" in str(one.inputs[0]) and fixed.inputs[0].shape == (8, 1, 28, 28)


def test_sizes_that_do_not_fit_say_what_was_tried(tmp_path: Path) -> None:
    (tmp_path / "pairs.py").write_text(
        "from trtnet import nn, ops\nfrom trtnet.graph import Input\n"
        "class Pairs(nn.Module):\n"
        "    inputs = {'a': Input(('n', 4)), 'b': Input(('m', 4))}\n"
        "    def forward(self, a, b): return a + b\n"
    )
    target = f"{tmp_path}/pairs.py:Pairs"
    assert summary_of(target, dims=["n=3", "m=3"]).work.flops == 12
    with pytest.raises(InputError, match="--dim n=2 --dim m=3"):
        summary_of(target, dims=["n=1:2:4", "m=1:3:4"])


def test_an_onnx_file_has_the_modules_that_its_names_tell(onnx_file: str) -> None:
    summary = summary_of(onnx_file, dims=["batch=2"])
    assert [m.path for m in summary.modules] == ["", "layer1", "layer1.0", "layer1.0.conv1"]
    conv = module(summary, "layer1.0.conv1")
    assert conv.flops == 2 * 2 * 3 * 16 * 3 and conv.weight_bytes == 36 and conv.outputs[0].shape == (2, 3, 4, 4)
    assert module(summary, "layer1").layers == {"CONVOLUTION": 1, "ELEMENTWISE": 1}
    assert "block.onnx" in printed(render(summary, depth=3))
    with pytest.raises(ModelError, match="has the dynamic dimensions batch"):
        open_network(onnx_file, Choices(dims=["length=2"]))


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("layer1.0.conv1/convolution_1", "layer1.0.conv1"),
        ("relu", ""),
        ("/layer1/layer1.0/conv1/Conv", "layer1.0.conv1"),
        ("/encoder/layers.3/attention/MatMul_1", "encoder.layers.3.attention"),
        ("node_conv2d_4", ""),
        ("/Relu", ""),
    ],
)
def test_the_module_in_a_layer_name(name: str, path: str) -> None:
    assert module_path(name) == path


def test_the_table_shows_a_tree_as_deep_as_asked() -> None:
    summary = summary_of("resnet18")
    text = printed(render(summary, depth=2))
    assert "resnet18 ResNet" in text and "    0 BasicBlock" in text and "      conv1" not in text
    assert "11,689,512" in text and "[1, 64, 56, 56]" in text and "3.63 G" in text
    assert "counted  at batch=1 (--dim batch=8 counts for another size)" in text
    assert "inputs   image [1, 3, 224, 224] float32, declared [batch, 3, 224, 224]" in text
    assert "declared" not in printed(render(summary_of("resnet18", dims=["batch=2"]), depth=0))
    assert "20 convolution" in text and "float32 where no other" in text


def test_what_a_module_passes_on_is_not_a_size_of_a_tensor() -> None:
    summary = summary_of("vit_b_16", dims=["batch=1:2:4"])
    layer = module(summary, "encoder.layers.encoder_layer_3")
    assert [output.shape for output in layer.outputs] == [(2, 197, 768)]


def test_names_are_no_markup() -> None:
    summary = summary_of("lenet")
    other = NetworkSummary("[red]lenet[/red]", *(getattr(summary, f) for f in list(vars(summary))[1:]))
    assert "[red]lenet[/red]" in printed(render(other, 1))


def test_placeholders_are_the_models_own_shapes_and_positive_scales() -> None:
    class Mixed(nn.Module):
        def __init__(self) -> None:
            self.table = nn.Parameter(3, 4, dtype="int64")
            self.scale = nn.Parameter(5)

    weights = Placeholder(Mixed(), "bfloat16")
    assert dict(weights)["scale"].tolist() == [1] * 5 and str(weights.info("scale").dtype) == "bfloat16"
    assert weights["table"].dtype == "int64" and weights["table"].shape == (3, 4)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (7, "7 B"), (999, "999 B"), (999.6, "1 kB"), (46_828_160, "46.8 MB"), (5e17, "500 PB")],
)  # fmt: skip
def test_quantities(value: float, text: str) -> None:
    assert quantity(value, "B") == text


def test_shapes() -> None:
    assert shape((1, -1, "batch")) == "[1, ?, batch]" and shape(()) == "[]"


# engines
@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plan") / "lenet.engine"
    network = trtnet.define(lenet(), weights=random_weights(lenet()), dtype="float16", name="lenet")
    network.build({"batch": (1, 8, 32)}).save(path)
    return path


def test_a_sidecar_says_what_the_plan_is(plan: Path) -> None:
    found = look(f"{plan}.json", Choices(), 3)
    text = printed(found.picture)
    for words in (
        "lenet() float16",
        "image [batch, 1, 28, 28] float16",
        "1x1x28x28  8x1x28x28  32x1x28x28",
        "tensorrt",
    ):
        assert words in text
    assert found.document["sidecar"]["info"]["outputs"][0]["name"] == "output"
    assert found.document["sidecar"]["plan_bytes"] == plan.stat().st_size and found.document["engine"] is None


def test_an_inspectors_file_shows_layers_without_a_gpu() -> None:
    found = look(str(DATA / "inspect_rtx_detailed.json"), Choices(), 3)
    assert "runtime_fusion" in printed(found.picture) and "layer1.0.downsample.0" in printed(found.picture)
    assert found.document["engine"]["precisions"] == {"float16": 11} and found.document["sidecar"] is None


NEITHER = r"x\.engine\.json is neither an engine's sidecar, x\.engine\.json, nor what TensorRT's engine inspector"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}", f"{NEITHER}.*begins with '{{}}'"),
        ("[1]", NEITHER),
        ("not json", f"{NEITHER}.*begins with 'not json'"),
        ("", f"{NEITHER}.*it is empty"),
        ('{"sidecar": 1}', "is not a sidecar that trtnet wrote beside an engine"),
        ('{"Layers": []}', "the engine has no details of its layers"),
    ],
)
def test_another_json_file_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "x.engine.json").write_text(text)
    with pytest.raises(PlanError, match=words):
        look(str(tmp_path / "x.engine.json"), Choices(), 3)


class Inspected:
    """An ICudaEngine that only says what it is. text: the engine inspector's; "" for one that says nothing."""

    device_memory_size_v2, streamable_weights_size = 4096, 512

    def __init__(self, text: str, profiles: int = 1) -> None:
        self.text, self.num_optimization_profiles = text, profiles

    def create_engine_inspector(self) -> SimpleNamespace:
        return SimpleNamespace(get_engine_information=lambda wanted: self.text if wanted.name == "JSON" else "")

    def get_device_memory_size_for_profile_v2(self, index: int) -> int:
        return 1000 + index


def engine_that_says(text: str, plan: Path, profiles: int = 1) -> Engine:
    recorder = ErrorRecorder()
    if not text:
        recorder.report_error(trt.ErrorCodeTRT.INTERNAL_ERROR, "it was not built to tell")
        recorder.clear = lambda: None  # as if it were reported while asking
    return Engine(
        Plan.load(plan),
        lambda p, _=0: OpenEngine(Inspected(text, profiles), SimpleNamespace(name="Fake GPU"), recorder, p.info),
    )


def test_an_engine_is_asked_where_it_is_loaded(plan: Path) -> None:
    text = (DATA / "inspect_rtx_detailed.json").read_text()
    found = inspect_plan.of_engine("lenet.engine", None, engine_that_says(text, plan))
    assert found.memory == {"activations": 4096, "streamable weights": 512}
    assert "14 layers, 11 write float16, activations 4,096 bytes" in printed(inspect_plan.render(found))
    several = inspect_plan.of_engine("lenet.engine", None, engine_that_says(text, plan, profiles=2))
    assert several.memory and several.memory["activations of profile 1"] == 1001


def test_an_engine_that_says_nothing_is_an_error_in_tensorrts_words(plan: Path) -> None:
    with pytest.raises(
        TrtnetError, match=r"inspector returned nothing for the engine\n  TensorRT: .*not built to tell"
    ):
        engine_that_says("", plan).inspect()


def test_an_engine_without_a_gpu_is_its_sidecar_and_the_reason(plan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine, "inspect", raising(DeviceError("no usable GPU")))
    found = look(str(plan), Choices(), 3)
    assert "its layers are not known here: no usable GPU" in printed(found.picture)
    assert found.document["sidecar"] and found.document["engine"] is None


@pytest.mark.parametrize(
    ("change", "words"), [({"stripped": True}, "stripped of its weights"), ({"backend": "other"}, "built with other")]
)
def test_an_engine_that_does_not_load_is_its_sidecar_and_the_reason(
    plan: Path, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    Plan(plan.read_bytes(), replace(Plan.load(plan).info, **change)).save(tmp_path / "x.engine")
    found = look(str(tmp_path / "x.engine"), Choices(), 3)
    assert words in found.document["unknown"] and found.document["sidecar"]["info"]["dtype"] == "float16"


def test_another_tools_plan_needs_the_gpu(plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other.plan").write_bytes(plan.read_bytes())
    monkeypatch.setattr(Engine, "inspect", raising(DeviceError("no usable GPU")))
    missing = r"other\.plan has no sidecar: .*other\.plan\.json is missing.* on a GPU only: no usable GPU"
    with pytest.raises(PlanError, match=missing):
        look(str(tmp_path / "other.plan"), Choices(), 3)
    kinds = {b"": "it is empty", b"hello": "it begins with b'hello'", b"GGUF": r"it is a checkpoint \(a GGUF"}
    for data, words in kinds.items():
        (tmp_path / "no.engine").write_bytes(data)
        with pytest.raises(PlanError, match=rf"no\.engine is not a plan of TensorRT: {words}"):
            look(str(tmp_path / "no.engine"), Choices(), 3)
    inspection = Inspection((DATA / "inspect_rtx_names.json").read_text(), {"activations": 1})
    monkeypatch.setattr(Engine, "inspect", lambda engine: inspection)
    found = look(str(tmp_path / "other.plan"), Choices(), 3).document
    assert found["sidecar"] is None and not found["engine"]["detailed"]


def test_a_plan_that_is_not_the_sidecars_is_refused(plan: Path, tmp_path: Path) -> None:
    (tmp_path / "x.engine").write_bytes(b"another plan")
    (tmp_path / "x.engine.json").write_bytes(Path(f"{plan}.json").read_bytes())
    with pytest.raises(PlanError, match="is not the plan that"):
        look(str(tmp_path / "x.engine"), Choices(), 3)


def raising(error: Exception) -> Callable[..., None]:
    def raise_it(*_: object) -> None:
        raise error

    return raise_it


# the command
def test_what_is_a_network(tmp_path: Path) -> None:
    (tmp_path / "plan").write_bytes(b"")
    assert is_network("resnet50") and is_network("a/b.py:make") and is_network("x.onnx")
    assert not is_network("x.engine") and not is_network("x.json") and not is_network(str(tmp_path / "plan"))


def test_the_command(plan: Path) -> None:
    run = CliRunner().invoke
    result = run(app, ["inspect", "lenet", "--dtype", "float16", "--dim", "batch=4", "--depth", "1", "--json", "-"])
    document = json.loads(result.stdout)
    assert result.exit_code == 0 and document["modules"][0]["outputs"][0]["shape"] == [4, 10]
    assert (
        json.loads(run(app, ["inspect", f"{plan}.json", "--json", "-"]).stdout)["sidecar"]["info"]["model"] == "lenet"
    )
    wrong = run(app, ["inspect", "nothing.engine"])
    assert isinstance(wrong.exception, PlanError) and "No such file" in str(wrong.exception)
