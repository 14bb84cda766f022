"""`trtnet audit`: what an engine computes in, on TensorRT-RTX's own text and on records with planted fallbacks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import trtnet
from trtnet.builder.plan import Plan, PlanInfo, read_sidecar, sidecar_path
from trtnet.checkpoint.quantized.scheme import Scheme, operand_dtypes
from trtnet.cli.main import app
from trtnet.definition.quantization import NAMED
from trtnet.support import dtypes
from trtnet.support.errors import DeviceError, PlanError
from trtnet.tools import build as tool
from trtnet.tools.audit.audit import Audit, AuditedModule, audit, examine, recorded
from trtnet.tools.audit.report import to_json
from trtnet.tools.inspect.engine import parse

DATA = Path(__file__).parents[1] / "data"
WORDS = {
    "float4_e2m1fn": "FP4E2M1",
    "float16": "Half",
    "float32": "Float",
    "int8": "Int8",
    "float8_e4m3fn": "FP8",
    "int4": "Int4",
    "int32": "Int32",
}
INT8, FP8_BLOCKS, INT4, NVFP4 = (str(NAMED[x]) for x in ("int8", "fp8_blocks", "int4_weights", "nvfp4_weights"))
PER_TOKEN = "float8_e4m3fn, a scale a channel, inputs in float8_e4m3fn (measured)"
X = ("x", [32, 1024])
Said = tuple[str, Sequence[int], str]


def tensors(*said: Said) -> list[dict[str, Any]]:
    return [
        {"Name": name, "Dimensions": list(shape), "Datatype": WORDS.get(dtype, dtype), "Format": "(Linear)"}
        for name, shape, dtype in said
    ]


def layer(
    name: str, kind: str, modules: Sequence[str], reads: Sequence[Said], holds: Sequence[Said], writes: Said
) -> dict[str, Any]:
    """A layer as TensorRT-RTX writes it."""
    return {
        "Name": name, "LayerType": kind, "Inputs": tensors(*reads), "Constants": tensors(*holds),
        "Outputs": tensors(writes), "TacticName": "__myelin_CASK_STUB", "StreamId": 0,
        "Metadata": "\x1f".join(f"module={module};source=m.py:1" for module in modules),
    }  # fmt: skip


def info(dtype: str = "float16", dtypes: dict[str, str] | None = None, **quantization: str) -> PlanInfo:
    keys = {f"{name.replace('__', '.')}.weight": words for name, words in quantization.items()}
    return PlanInfo("tensorrt_rtx", "1.6.1.120", (), (), (), dtype=dtype, dtypes=dtypes or {}, quantization=keys)


def found(layers: Sequence[dict[str, Any]], asked: PlanInfo | None) -> Audit:
    return examine("e", parse(json.dumps({"Layers": layers, "I/O Tensors": []})), asked)


def row(result: Audit, name: str) -> AuditedModule:
    (one,) = (one for one in result.modules if one.name == name)
    return one


GEMM_INT8 = layer(
    "fc/gemm", "gemm", ["fc"], [("q", [32, 1024], "int8")],
    [("w", [1024, 4096], "int8"), ("alpha", [1], "float32"), ("scale", [1, 4096], "float32")],
    ("y", [32, 4096], "float16"),
)  # fmt: skip


def quantizing(modules: Sequence[str]) -> dict[str, Any]:
    return layer("q0", "kgen", modules, [(*X, "float16")], [], ("q", [32, 1024], "int8"))


def test_an_int8_product_computes_as_asked() -> None:
    result = found([quantizing(["norm", "fc"]), GEMM_INT8], info(fc=INT8))
    one = row(result, "fc")
    assert (one.computed, one.weights, one.verdict) == ("int8", "int8", "as asked")
    assert (one.inputs_pair, one.weights_pair) == ("fused", "fused")
    assert one.bytes == 1024 * 4096 + 4 + 4 * 4096
    assert result.weight_bytes == {"int8": 1024 * 4096, "float32": 4 + 4 * 4096}
    assert not result.fell_back and not result.unknown and not result.own_layers


def test_a_layer_that_only_quantizes_is_said() -> None:
    result = found([quantizing(["fc"]), GEMM_INT8], info(fc=INT8))
    assert row(result, "fc").inputs_pair == "its own layer: q0" and result.own_layers == ("q0",)
    assert row(found([quantizing([]), GEMM_INT8], info(fc=INT8)), "fc").inputs_pair == "unknown"


def test_one_quantization_for_three_products_is_its_own_layer() -> None:
    products = [
        layer(f"{m}/gemm", "gemm", [m], [("q", [32, 1024], "int8")], [(f"w{m}", [1024, 64], "int8")],
              (f"y{m}", [32, 64], "float16"))
        for m in ("q", "k", "v")
    ]  # fmt: skip
    asked = info(q=INT8, k=INT8, v=INT8)
    alone = found([quantizing(["q", "k", "v"]), *products], asked)
    assert alone.own_layers == ("q0",) and {one.inputs_pair for one in alone.modules} == {"its own layer: q0"}
    assert {one.inputs_pair for one in found([quantizing(["norm", "q"]), *products], asked).modules} == {"fused"}


def product(weights: str, inputs: str, kind: str = "gemm", name: str = "fc/gemm") -> dict[str, Any]:
    return layer(name, kind, ["fc"], [(*X, inputs)], [("w", [1024, 4096], weights)], ("y", [32, 4096], "float16"))


@pytest.mark.parametrize(
    ("asked", "ran", "computed", "verdict"),
    [
        (INT8, product("float16", "float16"), "float16", "fell back"),
        (INT8, product("int8", "float16"), "float16", "fell back"),
        (INT8, product("int8", "float16", "runtime_fusion", "__myl_QuanFcMul"), "unknown", "unknown"),
        (INT8, product("something", "int8"), "unknown", "unknown"),
        (INT8, product("int8", "something"), "unknown", "unknown"),
        (FP8_BLOCKS, product("float16", "float16"), "float16", "fell back"),
        (FP8_BLOCKS, product("float8_e4m3fn", "float16", "kgen", "__myl_MulFc_myl0"), "float16", "as asked"),
        (FP8_BLOCKS, product("something", "float16"), "unknown", "unknown"),
        (PER_TOKEN, product("float16", "float16"), "float16", "fell back"),
        (PER_TOKEN, product("float8_e4m3fn", "float16", "kgen", "__myl_MulFc_myl0"), "float16", "fell back"),
        (NVFP4, product("float4_e2m1fn", "float16", "kgen", "__myl_MulFc_myl0"), "float16", "as asked"),
        (INT4, product("int4", "float16", "kgen", "__myl_MulFc_myl0"), "float16", "as asked"),
    ],
)
def test_planted_fallbacks(asked: str, ran: dict[str, Any], computed: str, verdict: str) -> None:
    result = found([ran], info(fc=asked))
    one = row(result, "fc")
    assert (one.computed, one.verdict) == (computed, verdict)
    assert [x.name for x in result.fell_back] == ["fc"] * (verdict == "fell back")
    assert [x.name for x in result.unknown] == ["fc"] * (verdict == "unknown")


def test_an_int8_convolution_that_became_float16() -> None:
    holds = [("k", [64, 64, 3, 3], "float16"), ("b", [1, 64, 1, 1], "float16")]
    image = ("x", [8, 64, 56, 56], "float16")
    ran = layer("__myl_CorrAddRelu_myl0_2", "runtime_fusion", ["conv", "bn", ""], [image], holds, image)
    result = found([ran], info(conv=INT8))
    one = row(result, "conv")
    assert (one.computed, one.weights, one.inputs_pair, one.weights_pair, one.verdict) == (
        "float16", "float16", "not used", "while building", "fell back",
    )  # fmt: skip
    quiet = layer("__myl_CorrAddRelu_myl0_2", "runtime_fusion", ["conv", ""], [("x", [8, 64, 56, 56], "int8")],
                  [("k", [64, 64, 3, 3], "int8")], image)  # fmt: skip
    assert row(found([quiet], info(conv=INT8)), "conv").verdict == "as asked"


def test_weights_that_a_layer_of_its_own_dequantizes() -> None:
    widen = layer("deq", "kgen", ["fc"], [], [("w", [1024, 4096], "int8")], ("wf", [1024, 4096], "float16"))
    ran = layer("fc/gemm", "gemm", ["fc"], [(*X, "float16"), ("wf", [1024, 4096], "float16")], [],
                ("y", [32, 4096], "float16"))  # fmt: skip
    result = found([widen, ran], info(fc=str(NAMED["int8_weights"])))
    one = row(result, "fc")
    assert (one.computed, one.weights, one.verdict) == ("float16", "int8", "not fused") and result.fell_back == (one,)
    assert one.weights_pair == "its own layer: deq" and result.own_layers == ("deq",)
    assert row(found([widen, ran], info(fc=INT8)), "fc").verdict == "fell back"
    reads = [("q", [32, 1024], "int8"), ("wf", [1024, 4096], "float16")]
    mixed = layer("__myl_CastMulFc_myl0_4", "runtime_fusion", ["fc"], reads, [], ("y", [32, 4096], "float16"))
    half = row(found([quantizing(["norm", "fc"]), widen, mixed], info(fc=INT8)), "fc")
    assert (half.computed, half.weights, half.verdict) == ("float16", "int8", "fell back")


def test_an_embedding_holds_what_was_asked_and_multiplies_nothing() -> None:
    ran = layer(
        "take", "kgen", ["wte"], [("ids", [1, 7], "int32")], [("w", [999, 64], "int8")], ("y", [7, 64], "float16")
    )
    one = row(found([ran], info(wte=str(NAMED["int8_weights"]))), "wte")
    assert (one.computed, one.weights, one.weights_pair, one.verdict) == ("unknown", "int8", "fused", "as asked")


def test_a_module_that_no_layer_names() -> None:
    away = found([product("int8", "int8")], info(other=INT8))
    assert (row(away, "other").computed, row(away, "other").verdict) == ("unknown", "unknown")
    inner = replace(info(), quantization={"fc.out_proj.weight": INT8})
    assert row(found([product("float16", "float16")], inner), "fc.out_proj").verdict == "fell back"
    both = [product("float16", "float16"), product("int8", "int8", name="fc/second")]
    assert row(found(both, inner), "fc.out_proj").verdict == "unknown"


def test_several_weights_of_one_module_are_told_apart_only_where_they_are_alike() -> None:
    asked = replace(info(), quantization={"fc.in_weight": INT8, "fc.out_weight": INT8})
    alike = found([product("int8", "int8"), product("int8", "int8", name="fc/second")], asked)
    assert [one.name for one in alike.modules] == ["fc.in_weight", "fc.out_weight"] and not alike.unknown
    assert len(found([product("int8", "int8"), product("float16", "float16", name="s")], asked).unknown) == 2


def test_a_product_that_quantizes_what_the_next_one_reads_is_not_the_next_one() -> None:
    """The quantization of fc's inputs is fused into the product before, which is larger and stays in float16."""
    first = layer("__myl_FcAddGelu_myl0", "runtime_fusion", ["up", "", "fc"], [(*X, "float16")],
                  [("wu", [1024, 9999], "float16")], ("q", [32, 1024], "int8"))  # fmt: skip
    result = found([first, GEMM_INT8], info(fc=INT8))
    assert (row(result, "fc").computed, row(result, "fc").inputs_pair, row(result, "fc").layers) == (
        "int8", "fused", ("fc/gemm",),
    )  # fmt: skip
    assert row(result, "up, (model), fc").computed == "float16" and not result.fell_back


def test_the_product_of_zero_points_does_not_decide() -> None:
    narrow = layer("fc/zeros", "gemm", ["fc"], [("s", [32, 8], "float16")], [("c", [8, 4096], "float16")],
                   ("z", [32, 4096], "float16"))  # fmt: skip
    result = found([product("int4", "float16"), narrow], info(fc="int4, a scale a block of 128, with zero points"))
    assert (row(result, "fc").weights, row(result, "fc").verdict) == ("int4", "as asked")


def test_a_real_float16_engine_of_tensorrt_rtx() -> None:
    text = parse((DATA / "inspect_rtx_detailed.json").read_text())
    result = examine("resnet50", text, info())
    assert len(result.modules) == 6 and {one.computed for one in result.modules} == {"float16"}
    assert not result.fell_back and not result.unknown
    assert row(result, "fc").bytes == 2048 * 1000 * 2 + 8  # alpha and beta are float32
    wider = examine("resnet50", text, info("float32", {"layer1": "float16", "layer3.0": "float16"}))
    assert [one.name for one in wider.fell_back] == ["conv1, bn1, (model)", "fc"]
    assert {one.verdict for one in wider.fell_back} == {"coarser"}
    assert {one.verdict for one in examine("resnet50", text, None).modules} == {"not asked"}
    asked = examine("resnet50", text, replace(info(), quantization={"layer3.0.conv2.weight": INT8}))
    assert [one.name for one in asked.fell_back] == ["layer3.0.conv2"]


def test_real_quantized_engines_of_tensorrt_rtx() -> None:
    """Of TensorRT-RTX 1.6.1 on an H200, 2026-11-29, tests/benchmarks/quantization.py: two products with a ReLU."""
    asked = info(fc1=INT8, fc2=INT8)
    right = examine("int8", parse((DATA / "inspect_rtx_int8.json").read_text()), asked)
    assert [(one.computed, one.weights, one.verdict) for one in right.modules] == [("int8", "int8", "as asked")] * 2
    assert [one.inputs_pair for one in right.modules] == ["its own layer: __myl_MulMinMaxRounCast_myl0_0", "fused"]
    assert {one.weights_pair for one in right.modules} == {"fused"}
    asked = info(fc1=FP8_BLOCKS, fc2=FP8_BLOCKS)
    blocks = examine("fp8", parse((DATA / "inspect_rtx_fp8_blocks.json").read_text()), asked)
    assert [(one.computed, one.verdict) for one in blocks.modules] == [("float16", "not fused")] * 2
    assert blocks.own_layers == ("__myl_Dequ_myl0_2", "__myl_Dequ_myl0_4")
    assert blocks.weight_bytes["float8_e4m3fn"] == 2 * 4096 * 16384


def test_attention_between_quantized_products_has_a_row_of_its_own() -> None:
    """As TensorRT-RTX 1.6.1 writes it: the quantization of the output's inputs is fused into attention."""
    heads = ("h", [384, 197, 64], "float16")
    attention = layer("_gemm_mha_v2_myl0_5", "kgen", ["a.out_proj", "a"], [heads, heads, heads], [],
                      ("o", [384, 197, 64], "int8"))  # fmt: skip
    moved = layer("__myl_MoveReshTran", "kgen", ["a"], [("o", [384, 197, 64], "int8")], [], ("q8", [6304, 768], "int8"))
    into = layer("a/matmul", "gemm", ["a"], [("q", [6304, 768], "int8")], [("wi", [768, 2304], "int8")],
                 ("i", [6304, 2304], "float16"))  # fmt: skip
    held = [("wo", [768, 768], "int8")]
    out = layer(
        "out/matmul", "gemm", ["a.out_proj"], [("q8", [6304, 768], "int8")], held, ("y", [6304, 768], "float16")
    )
    asked = replace(info(), quantization={"a.in_proj_weight": INT8, "a.out_proj.weight": INT8})
    result = found([into, attention, moved, out], asked)
    assert [(one.name, one.computed) for one in result.modules] == [
        ("a", "int8"), ("a.out_proj", "int8"), ("a.out_proj, a", "float16"),
    ]  # fmt: skip
    assert not result.fell_back and not result.unknown


def test_both_products_of_a_quantized_attention_are_one_row() -> None:
    def of(dtype: str, second: str) -> Audit:
        scores = layer("a/matmul", "gemm", ["a"], [("q", [8, 197, 64], dtype), ("k", [8, 197, 64], dtype)], [],
                       ("s", [8, 197, 197], "float16"))  # fmt: skip
        out = layer("a/matmul_1", "gemm", ["a"], [("p", [8, 197, 197], second), ("v", [8, 197, 64], second)], [],
                    ("o", [8, 197, 64], "float16"))  # fmt: skip
        into = layer("i", "gemm", ["a"], [("x", [8, 64], "int8")], [("w", [64, 192], "int8")],
                     ("qkv", [8, 192], "float16"))  # fmt: skip
        asked = {"a": "attention in int8", "a.in_proj_weight": INT8}
        return found([into, scores, out], replace(info(), quantization=asked))

    right = row(of("int8", "int8"), "a (attention)")
    assert (right.asked, right.computed, right.weights, right.verdict) == ("attention in int8", "int8", "", "as asked")
    assert right.layers == ("a/matmul", "a/matmul_1")
    wrong = of("float16", "float16")
    assert [one.asked for one in wrong.fell_back] == ["attention in int8"]
    assert [one.asked for one in of("int8", "float16").unknown] == ["attention in int8"]


def test_caches_are_no_products() -> None:
    asked = replace(info(fc=INT8), quantization={"fc.weight": INT8, "key_0": "cache in int8, one scale"})
    assert [one.name for one in found([quantizing(["norm", "fc"]), GEMM_INT8], asked).modules] == ["fc"]


def test_tensorrts_own_layers_say_the_types_of_their_weights_and_kernels() -> None:
    def of_10(kernel: str, weights: str) -> dict[str, Any]:
        shape = {"Name": "x", "Dimensions": [8, 64, 56, 56], "Format/Datatype": "Row major Int8 format"}
        return {
            "Name": "conv", "LayerType": "CaskConvolution", "Inputs": [shape], "Outputs": [shape | {"Name": "y"}],
            "Weights": {"Type": weights, "Count": 36864}, "Bias": {"Type": "Float", "Count": 64},
            "TacticName": kernel, "Metadata": "module=conv;source=m.py:1",
        }  # fmt: skip

    asked = info(conv=INT8)
    right = found([of_10("sm80_xmma_fprop_implicit_gemm_interleaved_i8i8_i8i32_f32_nchw_vect_c_32", "Int8")], asked)
    assert row(right, "conv").verdict == "as asked" and right.weight_bytes == {"int8": 36864, "float32": 256}
    wrong = found([of_10("sm80_xmma_fprop_implicit_gemm_f16f16_f16f32_f32_nhwckrsc", "Half")], asked)
    assert (row(wrong, "conv").computed, row(wrong, "conv").verdict) == ("float16", "fell back")


def test_every_scheme_says_its_dtypes_in_words() -> None:
    for scheme in filter(None, NAMED.values()):
        assert operand_dtypes(str(scheme)) == (scheme.weights, scheme.inputs or "")
    for bits in (5, 8):
        assert operand_dtypes(str(Scheme(dtypes.int8, bits, (1, 0), True, "int8", True))) == ("int8", "int8")


# files and commands


def run(*words: str) -> Any:
    return CliRunner().invoke(app, ["audit", *words])


def saved(folder: Path, layers: Sequence[dict[str, Any]], asked: PlanInfo) -> tuple[str, str]:
    """(the inspector's text, an engine's sidecar)."""
    text, engine = folder / "layers.json", folder / "x.engine"
    text.write_text(json.dumps({"Layers": layers, "I/O Tensors": []}).replace("\\u001f", "\x1f"))
    Plan(b"vtrt", asked).save(engine)
    return str(text), str(sidecar_path(engine))


def test_the_command_says_a_fallback_with_exit_code_1(tmp_path: Path) -> None:
    text, sidecar = saved(tmp_path, [product("float16", "float16")], info(fc=INT8))
    result = run(text, "--sidecar", sidecar, "--json", str(tmp_path / "a.json"))
    assert result.exit_code == 1 and "not computed as asked: 1 of the modules: fc" in result.output
    assert json.loads((tmp_path / "a.json").read_text())["fell_back"] == ["fc"]
    assert run(text).exit_code == 0 and "not asked" in run(text).output
    text, sidecar = saved(tmp_path, [GEMM_INT8], info(fc=INT8))
    other = run(str(DATA / "inspect_rtx_int8.json"), "--sidecar", sidecar).output
    words = "no layer has the name of a module that was to be quantized: is the sidecar that of another engine?"
    right = run(text, "--sidecar", sidecar)
    assert words in " ".join(other.split()) and words not in " ".join(right.output.split())
    assert right.exit_code == 0 and "every product is computed as asked" in right.output


def test_what_cannot_be_audited(tmp_path: Path) -> None:
    _, sidecar = saved(tmp_path, [GEMM_INT8], info(fc=INT8))
    with pytest.raises(
        DeviceError, match=r"^[^(]*audit the engine where its GPU is.*\n  its layers are in the engine, [^\n]*$"
    ):
        audit(sidecar)
    with pytest.raises(PlanError, match="only the names of its layers"):
        audit(DATA / "inspect_rtx_names.json")
    cut = tmp_path / "cut.json"
    cut.write_text((DATA / "inspect_rtx_int8.json").read_text()[:3000])
    with pytest.raises(PlanError, match=r"^.*cut\.json: the engine inspector's text is not JSON: .* Is it cut off\?"):
        audit(cut)
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(PlanError, match="neither an engine's sidecar"):
        audit(tmp_path / "other.json")


def test_a_sidecar_keeps_the_audit_of_its_build(tmp_path: Path) -> None:
    result = found([product("float16", "float16")], info(fc=INT8))
    Plan(b"vtrt", replace(info(fc=INT8), audit=to_json(result))).save(tmp_path / "x.engine")
    beside = sidecar_path(tmp_path / "x.engine")
    assert recorded(read_sidecar(beside).info) == result == audit(beside)
    assert run(str(beside)).exit_code == 1
    with pytest.raises(PlanError, match="not one that this trtnet wrote"):
        recorded(replace(info(), audit={"name": "x"}))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("dtype",), 1), (("dtypes",), ["fc"]), (("quantization", "fc.weight"), None), (("quantization",), "int8"),
        (("audit", "weight_bytes"), []), (("audit", "weight_bytes", "float16"), "8"), (("audit", "layers"), True),
        (("audit", "own_layers"), [1]), (("audit", "modules", 0, "asked"), 1), (("audit", "modules", 0, "bytes"), ""),
        (("audit", "modules", 0, "inputs_pair"), {}), (("audit", "modules", 0, "layers"), 3),
    ],
)  # fmt: skip
def test_a_sidecar_with_other_kinds_of_values_is_refused(place: tuple[Any, ...], value: Any, tmp_path: Path) -> None:
    result = found([product("float16", "float16")], info(fc=INT8))
    Plan(b"vtrt", replace(info(fc=INT8), audit=to_json(result))).save(tmp_path / "x.engine")
    beside = sidecar_path(tmp_path / "x.engine")
    document = json.loads(beside.read_text())
    part = document
    for each in place[:-1]:
        part = part[each]
    part[place[-1]] = value
    beside.write_text(json.dumps(document))
    with pytest.raises(PlanError, match="trtnet wrote"):
        audit(beside)


def test_build_audits_where_there_is_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = {"weight": np.ones((4, 8), np.float32), "bias": np.zeros(4, np.float32)}
    network = trtnet.define(trtnet.nn.Linear(8, 4), {"x": trtnet.Input((2, 8))}, weights)
    path = tmp_path / "x.engine"
    monkeypatch.setattr(tool, "compute_capability_here", tuple)
    with pytest.raises(DeviceError, match=f"run trtnet audit {path}"):
        tool.build_engine(network, {}, trtnet.BuildConfig(), path, audited=True)
    assert not path.exists()
    result = found([product("float16", "float16")], info(fc=INT8))
    monkeypatch.setattr(tool, "compute_capability_here", lambda: ("9.0",))
    monkeypatch.setattr(tool, "audit", lambda engine: result)
    built = tool.build_engine(network, {}, trtnet.BuildConfig(), path, audited=True)
    assert audit(sidecar_path(path)) == recorded(built.info) == replace(result, name=str(path))

    def refused(engine: Any) -> Any:
        raise DeviceError("not this GPU")

    monkeypatch.setattr(tool, "audit", refused)
    with pytest.raises(DeviceError, match="not this GPU"):
        tool.build_engine(network, {}, trtnet.BuildConfig(), tmp_path / "kept.engine", audited=True)
    assert Plan.load(tmp_path / "kept.engine").info.audit == {}
