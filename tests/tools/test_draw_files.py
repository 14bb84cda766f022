"""The files that drawings are written as, and the command that writes them."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from helpers.tools import drawings
from typer.testing import CliRunner

from trtnet.cli.main import app
from trtnet.graph.layers.titles import times
from trtnet.support.errors import DependencyError, InputError, TrtnetError
from trtnet.tools.draw.drawing import Drawing, Measurement
from trtnet.tools.draw.files import writing
from trtnet.tools.draw.files.netron import document
from trtnet.tools.draw.files.writing import lay_out, write

DATA = Path(__file__).parents[1] / "data"


def written(folder: Path, drawing: Drawing, suffix: str, depth: int | None = None) -> bytes:
    path = folder / f"x{suffix}"
    write(lay_out(drawing, depth), path)
    return path.read_bytes()


def svg_texts(data: bytes) -> list[str]:
    return [one.text or "" for one in ElementTree.fromstring(data).iter("{http://www.w3.org/2000/svg}text")]


def test_an_svg_shows_layers_and_shapes(tmp_path: Path) -> None:
    texts = svg_texts(written(tmp_path, drawings.resnet18(), ".svg"))
    assert {"layer1", "BasicBlock · 5 layers", f"Conv {times((7, 7))} /2", times(("batch", 64, 112, 112))} <= set(texts)


def test_depth_opens_modules(tmp_path: Path) -> None:
    texts = [svg_texts(written(tmp_path, drawings.resnet18(), ".svg", depth)) for depth in (1, 2, 3)]
    assert "layer1.0" not in texts[0]
    assert "layer1.0" in texts[1] and "conv2" not in texts[1]
    assert texts[2].count("conv2") == 8


def test_names_are_text_in_every_file(tmp_path: Path) -> None:
    drawing = drawings.hostile()
    assert drawings.HOSTILE in svg_texts(written(tmp_path, drawing, ".svg", depth=9))
    assert written(tmp_path, drawing, ".png", depth=9).startswith(b"\x89PNG")
    html = written(tmp_path, drawing, ".html").decode()
    assert html.count("</script>") == 2 and html.count("<script") == 2
    data = json.loads(re.search(r'id="drawing">(.*)</script>', html)[1])
    assert data["title"] == drawings.HOSTILE and data["layers"][1]["attributes"] == {drawings.HOSTILE: drawings.HOSTILE}
    dot = written(tmp_path, drawing, ".dot").decode()
    assert dot.count('"') % 2 == 0 and 'scalar dt\\"ype' in dot and "\x1b" not in dot


def test_a_page_has_nothing_from_elsewhere(tmp_path: Path) -> None:
    html = written(tmp_path, drawings.lenet(), ".html").decode()
    assert set(re.findall(r"https?://[^\s\"')]+", html)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\b(src|href)=", html)


def test_template_words_in_names_are_left_alone(tmp_path: Path) -> None:
    drawing = drawings.chain(["@SCRIPT@"])
    html = written(tmp_path, Drawing("@STYLE@ @DATA@", drawing.layers, drawing.tensors), ".html").decode()
    assert "<title>@STYLE@ @DATA@</title>" in html
    assert json.loads(re.search(r'id="drawing">(.*)</script>', html)[1])["layers"][1]["module"] == "@SCRIPT@"


def test_values_that_json_has_no_numbers_for(tmp_path: Path) -> None:
    drawing = drawings.chain(["a", "b"])
    measurement = Measurement("error", "", adds_up=False, modules={"a": float("inf"), "b": float("nan")})
    html = written(tmp_path, Drawing("x", drawing.layers, drawing.tensors, measurement=measurement), ".html").decode()
    data = json.loads(re.search(r'id="drawing">(.*)</script>', html)[1], parse_constant=pytest.fail)
    assert [layer["value"] for layer in data["layers"]] == [None, "inf", "nan", None]


def test_a_png_shows_the_same(tmp_path: Path) -> None:
    from PIL import Image

    image = Image.open(io.BytesIO(written(tmp_path, drawings.lenet(), ".png")))
    colours = {colour for _, colour in image.convert("RGB").getcolors(1 << 20)}
    assert (0x25, 0x63, 0xEB) in colours and (0xEA, 0x58, 0x0C) in colours  # outlines of convolutions and activations
    picture = lay_out(drawings.lenet()).picture()
    assert image.size == pytest.approx((2 * picture.width, 2 * picture.height), abs=2)


def test_a_png_that_would_be_too_large(tmp_path: Path) -> None:
    drawing = drawings.chain([""] * 500)
    with pytest.raises(InputError, match=r"at most 32,768 a side: draw fewer modules open \(--depth\), or an \.svg"):
        written(tmp_path, drawing, ".png")


def test_a_png_without_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(DependencyError, match=r"pip install 'trtnet\[viz\]', or write an \.svg"):
        written(tmp_path, drawings.lenet(), ".png")


def test_dot_has_clusters_by_module(tmp_path: Path) -> None:
    dot = written(tmp_path, drawings.resnet18(), ".dot").decode()
    assert dot.startswith('digraph "resnet18" {') and dot.count("{") == dot.count("}")
    assert dot.count("subgraph cluster_") == 13  # 4 stages, 8 blocks, the classifier
    edges = sum(len(layer.inputs) for layer in drawings.resnet18().layers)
    assert dot.count(" -> ") == edges


def test_json_is_an_onnx_model() -> None:
    onnx = pytest.importorskip("onnx")
    from google.protobuf import json_format

    model = json_format.Parse(json.dumps(document(drawings.lenet())), onnx.ModelProto())
    assert [node.op_type for node in model.graph.node[:3]] == ["Conv", "Relu", "MaxPool"]
    convolution = model.graph.node[0]
    assert {one.name: one.s.decode() for one in convolution.attribute}["kernel_size_nd"] == times((5, 5))
    assert {one.key: one.value for one in convolution.metadata_props} == {
        "module": "conv1",
        "source": "models/lenet.py:31",
    }
    (image,) = model.graph.input
    assert image.type.tensor_type.elem_type == onnx.TensorProto.FLOAT16
    assert [dim.dim_param or dim.dim_value for dim in image.type.tensor_type.shape.dim] == ["batch", 1, 28, 28]
    made = {name for node in model.graph.node for name in node.output}
    assert {one.name for one in model.graph.value_info} | {one.name for one in model.graph.output} == made
    for node in model.graph.node:
        assert node.domain == "tensorrt" or onnx.defs.has(node.op_type, 21)


def test_element_types_are_onnx_s() -> None:
    onnx = pytest.importorskip("onnx")
    from trtnet.tools.draw.files.netron import ELEMENT_TYPES

    names = {"float32": "FLOAT", "float64": "DOUBLE", "float8_e4m3fn": "FLOAT8E4M3FN", "float8_e5m2": "FLOAT8E5M2",
             "float4_e2m1fn": "FLOAT4E2M1", "float8_e8m0fnu": "FLOAT8E8M0"}  # fmt: skip
    wanted = {name: getattr(onnx.TensorProto, names.get(name, name.upper())) for name in ELEMENT_TYPES}
    assert wanted == ELEMENT_TYPES


def test_operators_are_onnx_s() -> None:
    onnx = pytest.importorskip("onnx")
    from trtnet.graph.layers.kinds import KINDS

    names = {x for kind in KINDS.values() for x in ([kind.onnx] if isinstance(kind.onnx, str) else kind.onnx.values())}
    assert [name for name in sorted(names - {""}) if not onnx.defs.has(name, 21)] == []


@pytest.mark.parametrize("suffix", list(writing.FORMATS))
def test_the_command_writes_every_form(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"lenet{suffix}"
    result = CliRunner().invoke(app, ["draw", "lenet", "-o", str(path), "--json", "-"])
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert (said["layers"], said["modules"], said["bytes"]) == (15, 3, path.stat().st_size)


def test_the_command_draws_an_engine_in_the_colours_of_its_profile(tmp_path: Path) -> None:
    profile = tmp_path / "profile.json"
    profile.write_text(json.dumps({"fc/matmul_U176_myl0_91": 0.5}))
    source = str(DATA / "inspect_rtx_detailed.json")
    result = CliRunner().invoke(app, ["draw", source, "-o", str(tmp_path / "x.svg"), "--profile", str(profile)])
    assert result.exit_code == 0 and "14 layers in 5 modules" in " ".join(result.stdout.split())
    assert "#c53030" in (tmp_path / "x.svg").read_text()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-o", "x.pdf"], r"x\.pdf: a drawing is written as \.html, \.svg, \.png, \.dot or \.json"),
        (["-o", "x.html", "--open"], r"write one with -o x\.json"),
        (["-o", "x.html", "--profile", "p", "--comparison", "c"], "give --profile or --comparison"),
    ],
)
def test_options_that_do_not_go_together(options: list[str], words: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TrtnetError, match=words):
        CliRunner().invoke(app, ["draw", "lenet", *options], catch_exceptions=False)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(TrtnetError, match="cannot write"):
        CliRunner().invoke(app, ["draw", "lenet", "-o", str(tmp_path / "no" / "x.svg")], catch_exceptions=False)


def test_netron_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "netron", None)
    with pytest.raises(DependencyError, match=r"pip install 'trtnet\[viz\]', or open .*x\.json at https://netron\.app"):
        CliRunner().invoke(app, ["draw", "lenet", "-o", str(tmp_path / "x.json"), "--open"], catch_exceptions=False)
