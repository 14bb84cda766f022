"""Drawings of networks, ONNX files and engines: what is in them."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.tools import drawings

from trtnet import nn, ops
from trtnet.graph import Input
from trtnet.graph.layers.titles import times
from trtnet.support.errors import PlanError
from trtnet.tools.draw.drawing import INPUT, OUTPUT, Drawing, DrawnLayer
from trtnet.tools.draw.ends import common_module, settle_ends
from trtnet.tools.draw.families import family
from trtnet.tools.draw.reading import read
from trtnet.tools.targets.networks import Choices, open_network

DATA = Path(__file__).parents[1] / "data"


def layer(drawing: Drawing, name: str) -> DrawnLayer:
    (found,) = (one for one in drawing.layers if one.name == name)
    return found


def test_a_layer_says_what_it_is() -> None:
    drawing = drawings.lenet()
    found = layer(drawing, "conv2/convolution")
    assert (found.kind, found.title, found.module) == ("CONVOLUTION", f"Conv {times((5, 5))}", "conv2")
    assert found.source == "models/lenet.py:32"
    assert found.attributes["num_output_maps"] == "16" and found.attributes["kernel"] == "2,400 float16"
    assert found.flops == 2 * 16 * 10 * 10 * 6 * 25
    assert found.weight_bytes == 2 * (2400 + 16)
    assert found.bytes == found.weight_bytes + 2 * (6 * 14 * 14 + 16 * 10 * 10)
    (output,) = found.outputs
    assert drawing.tensors[output].shape == ("batch", 16, 10, 10)
    assert str(drawing.tensors[output]) == f"{times(('batch', 16, 10, 10))} float16"


def test_inputs_and_outputs_are_at_the_ends() -> None:
    drawing = drawings.lenet()
    assert (drawing.layers[0].kind, drawing.layers[0].name) == (INPUT, "image")
    assert (drawing.layers[-1].kind, drawing.layers[-1].name) == (OUTPUT, "output")
    made = {tensor for one in drawing.layers for tensor in one.outputs}
    assert all(tensor in made for one in drawing.layers for tensor in one.inputs)


def test_constants_are_attributes_of_what_reads_them() -> None:
    drawing = drawings.lenet()
    assert not any(one.kind == "CONSTANT" for one in drawing.layers)
    assert layer(drawing, "fc1/matmul").attributes["input 1"] == f"constant {times((120, 400))} float16"
    assert any("constants" in note for note in drawing.notes)


class Wasteful(nn.Module):
    inputs = {"x": Input((2, 3))}

    def forward(self, x):
        ops.exp(x)
        return ops.relu(x)


def test_layers_that_nobody_needs_are_left_out() -> None:
    drawing = read(f"{__file__}:Wasteful", Choices())
    assert [one.kind for one in drawing.layers] == [INPUT, "ACTIVATION", OUTPUT]
    assert "Layers left out because no output needs them: 1." in drawing.notes


def test_every_layer_of_resnet18_is_needed() -> None:
    drawing = drawings.resnet18()
    assert sum(one.kind == "CONVOLUTION" for one in drawing.layers) == 20
    assert not any("no output needs them" in note for note in drawing.notes)


def test_modules_have_their_classes() -> None:
    types = drawings.resnet18().types
    assert (types[""], types["layer1"], types["layer1.0"]) == ("ResNet", "Sequential", "BasicBlock")


class Halves(nn.Module):
    inputs = {"x": Input(("batch", "length", 8)), "y": Input(("batch", 4))}

    def forward(self, x, y):
        both = x.reshape(-1, 8)
        return {"both": both, "halves": both.reshape(-1, 4), "twice": ops.cat([y, y], dim=0)}


def test_dynamic_sizes_have_names() -> None:
    drawing = read(f"{__file__}:Halves", Choices())
    shapes = {one.name: drawing.tensors[one.inputs[0]].shape for one in drawing.layers if one.kind == OUTPUT}
    assert shapes == {"both": ("batch·length", 8), "halves": ("2·batch·length", 4), "twice": ("2·batch", 4)}


class Table(nn.Module):
    """A network that no length above 6 fits."""

    inputs = {"x": Input(("length", 4))}

    def forward(self, x):
        return x + ops.zeros((6, 4))[: x.shape[0]]


def test_sizes_that_cannot_be_told_stay_open() -> None:
    drawing = read(f"{__file__}:Table", Choices())
    made = [drawing.tensors[i] for one in drawing.layers if one.kind == "ELEMENTWISE" for i in one.outputs]
    assert [x.shape for x in made] == [(1,), (-1, 4)]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from helpers.originals import LeNet

    path = tmp_path_factory.mktemp("onnx") / "lenet.onnx"
    torch.onnx.export(LeNet().eval(), (torch.zeros(1, 1, 28, 28),), path, dynamo=True, verbose=False)
    return path


def test_an_onnx_file_has_its_modules(exported: Path) -> None:
    drawing = read(str(exported), Choices())
    convolutions = [one for one in drawing.layers if one.kind == "CONVOLUTION"]
    assert [one.module for one in convolutions] == ["conv1", "conv2"]
    assert convolutions[0].source.startswith("originals.py:")
    assert drawing.types["conv1"] == "Conv2d" and drawing.types[""] == "LeNet"


def test_an_engine_is_drawn_by_what_its_inspector_says() -> None:
    drawing = read(str(DATA / "inspect_rtx_detailed.json"), Choices())
    fused = layer(drawing, "__myl_CorrMulAddAddRelu_myl0_11")
    assert (fused.kind, fused.module) == ("runtime_fusion", "layer1.0")
    assert fused.attributes["fused from"] == "layer1.0.conv3, layer1.0.bn3, layer1.0"
    assert layer(drawing, "__myl_MulAddRelu_myl0_36").module == "layer3.0"  # told by its neighbours alone
    ends = {one.name: one.kind for one in drawing.layers if one.kind in (INPUT, OUTPUT)}
    assert ends == {"image": INPUT, "output": OUTPUT}


def test_an_engine_with_only_names_is_drawn_and_says_so() -> None:
    drawing = read(str(DATA / "inspect_rtx_names.json"), Choices())
    assert len(drawing.layers) == 93 and drawing.tensors == ()
    assert 'profiling_verbosity="detailed"' in drawing.notes[0]


def test_a_sidecar_has_no_layers(tmp_path: Path) -> None:
    network = open_network("lenet", Choices(dims=("batch=1",)))
    network.owner.build().save(tmp_path / "lenet.engine")
    with pytest.raises(
        PlanError, match=r"lenet\.engine\.json cannot be drawn: its layers are in the engine, .*lenet\.engine"
    ):
        read(str(tmp_path / "lenet.engine.json"), Choices())


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="cannot read"):
        read(str(tmp_path / "layers.json"), Choices())


def small_qwen2():
    """Six blocks, each with a cache of two tensors."""
    from trtnet.models.qwen2 import Qwen2, Qwen2Config

    return Qwen2(Qwen2Config(vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=6,
                             num_attention_heads=4, num_key_value_heads=2, capacity=16))  # fmt: skip


def test_many_inputs_stand_in_the_modules_that_read_them() -> None:
    drawing = read(f"{__file__}:small_qwen2", Choices())
    assert sum(one.kind in (INPUT, OUTPUT) for one in drawing.layers) > 12
    settled = {one.name: one.module for one in settle_ends(drawing).layers if one.kind in (INPUT, OUTPUT)}
    assert settled["input_ids"] == ""
    inside = [module for module in settled.values() if module.startswith("model.layers.")]
    assert len(inside) == 6 * 2 * 2
    assert settle_ends(drawings.lenet()) is drawings.lenet()


@pytest.mark.parametrize(
    ("modules", "common"),
    [
        (["a.b.c", "a.b.d"], "a.b"),
        (["a.b", "a.b"], "a.b"),
        (["a.x.c", "a.y.c"], "a"),
        (["ab", "a"], ""),
        (["a", ""], ""),
        ([], ""),
    ],
)
def test_the_innermost_module_of_several(modules: list[str], common: str) -> None:
    assert common_module(modules) == common


def test_types_of_engines_layers_have_families() -> None:
    assert [family(kind).name for kind in ("gemm", "CaskConvolution", "Reformat", "kgen")] == [
        "matrix product", "convolution", "quantization, cast", "elementwise",
    ]  # fmt: skip
