"""What TensorRT's engine inspector says, in both of its schemas.

tests/data/inspect_rtx_detailed.json: TensorRT-RTX 1.6.1's text of a ResNet-50 in float16, some of its layers left out,
the metadata as trtnet writes it now. inspect_rtx_names.json: the same engine built with layer names alone.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from trtnet.support.errors import PlanError
from trtnet.tools.inspect.engine import EngineLayer, EngineTensor, parse, precisions, render, to_json

DATA = Path(__file__).parents[1] / "data"
DETAILED = (DATA / "inspect_rtx_detailed.json").read_text()
NAMES = (DATA / "inspect_rtx_names.json").read_text()


def tensor_of_10(name: str, shape: list[int], text: str) -> dict[str, Any]:
    return {"Name": name, "Location": "Device", "Dimensions": shape, "Format/Datatype": text}


TENSORRT_10 = {
    "Layers": [
        {
            "Name": "conv1/convolution + relu",
            "LayerType": "CaskConvolution",
            "Inputs": [tensor_of_10("image", [8, 3, 224, 224], "Row major linear FP32")],
            "Outputs": [tensor_of_10("relu", [8, 64, 112, 112], "Channel major FP16 format where channel % 8 == 0")],
            "ParameterType": "Convolution",
            "TacticName": "sm80_xmma_fprop_implicit_gemm_f16f16",
            "TacticValue": "0x0866ddee325d07a6",
            "StreamId": 0,
            "Metadata": "module=conv1;source=models/resnet.py:85\x1fmodule=;source=models/resnet.py:85",
        },
        {
            "Name": "Reformatting CopyNode",
            "LayerType": "Reformat",
            "Inputs": [tensor_of_10("relu", [-1, 64], "N/A due to dynamic shapes")],
            "Outputs": [tensor_of_10("y", [-1, 64], "Thirty-two wide channel vectorized row major Int8 format.")],
            "TacticValue": "0x00000000000003ea",
            "Metadata": "[ONNX Layer: y]",
        },
    ],
    "Bindings": ["image", "y", "image [profile 1]", "y [profile 1]"],
}


def printed(picture: Any, width: int = 200) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(picture)
    return console.export_text()


def layer(name: str) -> EngineLayer:
    (found,) = (x for x in parse(DETAILED).layers if x.name == name)
    return found


def test_a_real_engine_in_detail() -> None:
    description = parse(DETAILED)
    assert description.detailed
    assert description.io == ("image", "output")
    assert len(description.layers) == len(json.loads(DETAILED)["Layers"]) == 14
    fused = layer("__myl_CorrMulAddRelu_myl0_2")
    assert fused.type == "runtime_fusion"
    assert fused.modules == ("conv1", "bn1", "")
    assert fused.sources == ("trtnet/models/resnet.py:85",)
    nhwc = "(NHWC) Channel major format"
    assert fused.outputs == (EngineTensor("max_pool.1_31_myl0", (-1, 64, 112, 112), "float16", nhwc),)
    assert layer("__myl_Add_myl0_92").tactic == "__myl_Add_0xf442c065e947a0a2fa96111971e5a726"


def test_what_tensorrt_appends_to_a_line_is_dropped() -> None:
    product = layer("__mye3315_myl0_35")
    assert "__gemm_from_conv1x1" in DETAILED
    assert (product.type, product.modules) == ("gemm", ("layer3.0.conv1",))
    assert product.sources == ("trtnet/models/resnet.py:50",)


def test_layers_without_outputs_have_no_precision() -> None:
    description = parse(DETAILED)
    writing = [x for x in description.layers if x.outputs]
    assert len(writing) < len(description.layers)
    assert precisions(description) == Counter({"float16": len(writing)})


def test_the_schema_of_tensorrt_10() -> None:
    description = parse(json.dumps(TENSORRT_10))
    assert description.detailed and description.io == ("image", "y")
    convolution, copy = description.layers
    assert [x.dtype for x in (*convolution.inputs, *convolution.outputs)] == ["float32", "float16"]
    assert convolution.outputs[0].format == "Channel major FP16 format where channel % 8 == 0"
    assert convolution.tactic == "sm80_xmma_fprop_implicit_gemm_f16f16"
    assert (convolution.modules, convolution.sources) == (("conv1", ""), ("models/resnet.py:85",))
    assert [x.dtype for x in (*copy.inputs, *copy.outputs)] == ["unknown", "int8"]
    assert (copy.tactic, copy.modules, copy.sources) == ("0x00000000000003ea", (), ())
    assert precisions(description) == Counter(float16=1, int8=1)


@pytest.mark.parametrize(
    ("word", "dtype"),
    [
        ("Float", "float32"),
        ("Half", "float16"),
        ("BFloat16", "bfloat16"),
        ("BF16", "bfloat16"),
        ("FP8", "float8_e4m3fn"),
        ("FP4", "float4_e2m1fn"),
        ("Int64", "int64"),
        ("UInt8", "uint8"),
        ("Int4", "int4"),
        ("Bool", "bool"),
        ("Something", "unknown"),
    ],
)
def test_dtypes(word: str, dtype: str) -> None:
    tensor = {"Name": "x", "Dimensions": [], "Datatype": word, "Format": "(Linear) Row major linear format"}
    text = json.dumps({"Layers": [{"Name": "x", "Outputs": [tensor]}], "I/O Tensors": [{"Name": "x"}]})
    assert parse(text).layers[0].outputs[0].dtype == dtype


def test_names_only() -> None:
    description = parse(NAMES)
    assert not description.detailed
    assert len(description.layers) == 93
    assert description.layers[3] == EngineLayer("max_pool_U3_myl0_3")
    assert description.io == ("image", "output")
    assert precisions(description) == Counter()
    text = printed(render(description))
    assert 'only their names: build it with profiling_verbosity="detailed"' in text
    assert "max_pool_U3_myl0_3" in text and "module" not in text


def test_names_only_in_tensorrt_10() -> None:
    description = parse('{"Layers": ["conv1 + relu", "fc [ONNX Layer: fc]"], "Bindings": ["x", "y"]}')
    assert [x.name for x in description.layers] == ["conv1 + relu", "fc [ONNX Layer: fc]"]
    assert description.io == ("x", "y")
    assert "fc [ONNX Layer: fc]" in printed(render(description))


@pytest.mark.parametrize("text", ["", "\n", '{"Layers": [], "Bindings": ["x"]}'])
def test_an_engine_that_says_nothing(text: str) -> None:
    with pytest.raises(PlanError, match='has no details of its layers: build it with profiling_verbosity="detailed"'):
        parse(text)


def test_metadata_with_quotes_is_named_as_the_cause() -> None:
    broken = DETAILED.replace("module=conv1;source=trtnet/models/resnet.py:85", '{"module": "conv1"}', 1)
    with pytest.raises(PlanError, match=r"not JSON: .*line \d+.*Metadata.*module.*does not escape quotes"):
        parse(broken)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (DETAILED[:1000], "not JSON"),
        ("[]", "no list of layers"),
        ('{"Layers": "x"}', "no list of layers"),
        ('{"Layers": [3]}', "not in TensorRT's format"),
        ('{"Layers": [{"LayerType": "gemm"}]}', "not in TensorRT's format: KeyError.*Name"),
        ('{"Layers": ["x"], "Bindings": [3]}', "not in TensorRT's format"),
        ('{"Layers": [{"Name": ["fc"]}]}', r"not in TensorRT's format: .*Name is text, found \['fc'\]"),
        ('{"Layers": [{"Name": "fc", "LayerType": 3}]}', "not in TensorRT's format: .*LayerType is text, found 3"),
        ('{"Layers": [{"Name": "fc", "TacticName": 3}]}', "not in TensorRT's format: .*TacticName is text, found 3"),
        ('{"Layers": [{"Name": "fc", "Inputs": [{"Name": 3}]}]}', "not in TensorRT's format: .*Name is text, found 3"),
    ],
)
def test_other_texts_are_refused(text: str, words: str) -> None:
    with pytest.raises(PlanError, match=words):
        parse(text)


def test_the_picture_names_layers_precisions_memory_and_modules() -> None:
    text = printed(render(parse(DETAILED), {"activations": 123456789, "weights": 51220304}))
    head = text.splitlines()[0]
    assert head.startswith("14 layers, ")
    assert "write float16" in head and "activations 123,456,789 bytes, weights 51,220,304 bytes" in head
    row = next(line for line in text.splitlines() if "__mye3315_myl0_35" in line)
    assert all(word in row for word in ("gemm", "-1x256x784", "float16", "layer3.0.conv1"))
    assert "conv1, bn1, (model)" in text


def test_json_says_the_same() -> None:
    found = json.loads(json.dumps(to_json(parse(DETAILED))))
    assert found["detailed"] is True and found["io"] == ["image", "output"]
    assert found["precisions"] == dict(precisions(parse(DETAILED)))
    assert found["layers"][2]["modules"] == ["conv1", "bn1", ""]
    assert found["layers"][2]["outputs"][0]["shape"] == [-1, 64, 112, 112]


@pytest.mark.parametrize(
    ("dtype", "dtypes", "is_said"),
    [("float32", {}, True), ("float16", {}, False), ("float16", {"norm": "float32"}, True)],
)
def test_how_float32_is_multiplied_is_said_where_there_is_some(
    dtype: str, dtypes: dict[str, str], is_said: bool
) -> None:
    from trtnet.builder.plan import PlanInfo, Sidecar
    from trtnet.tools.inspect.plan import _table

    info = PlanInfo("", "", (), (), (), dtype=dtype, dtypes=dtypes, tf32=True)
    assert ("TensorFloat-32" in printed(_table("x", Sidecar(info, 1, "0" * 64)))) is is_said
