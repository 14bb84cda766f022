"""`trtnet audit` of quantized operands of sums, concatenations and norms: fused, layers of their own, or not used."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from trtnet.builder.plan import PlanInfo
from trtnet.tools.audit.audit import AuditedModule, examine
from trtnet.tools.inspect.engine import parse

WORDS = {"int8": "Int8", "float16": "Half"}
CONV, SUM = "int8, a scale a channel, inputs in int8", "sum in int8"
IMAGE = [1, 16, 8, 8]


def layer(name: str, kind: str, modules: Sequence[str], reads: Sequence[str], writes: str, weight: str = "") -> Any:
    """A layer as TensorRT writes it; reads, writes: dtypes, of tensors that nobody else has."""
    held = [{"Name": f"{name} w", "Dimensions": [16, 16, 3, 3], "Datatype": WORDS[weight]}] if weight else []
    return {
        "Name": name, "LayerType": kind, "TacticName": "", "Constants": held,
        "Metadata": "\x1f".join(f"module={module};source=m.py:1" for module in modules),
        "Inputs": [{"Name": f"{name} x{i}", "Dimensions": IMAGE, "Datatype": WORDS[x]} for i, x in enumerate(reads)],
        "Outputs": [{"Name": f"{name} y", "Dimensions": IMAGE, "Datatype": WORDS[writes]}],
    }  # fmt: skip


def audited(name: str, words: str, *layers: Any, **others: str) -> AuditedModule:
    asked = {"layer1.conv2.weight": CONV, name: words, **{key.replace("__", "."): said for key, said in others.items()}}
    info = PlanInfo("tensorrt", "10.13", (), (), (), dtype="float16", quantization=asked)
    found = examine("e", parse(json.dumps({"Layers": [*layers], "I/O Tensors": []})), info)
    (row,) = (one for one in found.modules if one.name == name)
    assert (row in found.fell_back) == (row.verdict in ("fell back", "not fused"))
    assert (row in found.unknown) == (row.verdict == "unknown")
    assert found.own_layers == ((row.layers[0],) if row.verdict == "not fused" else ())
    return row


FUSED = layer("conv2 + add", "CaskConvolution", ["layer1.conv2", "layer1"], ["int8", "int8"], "int8", "int8")
APART = layer("conv2", "CaskConvolution", ["layer1.conv2"], ["int8"], "float16", "int8")
ADD = layer("add", "PointWise", ["layer1"], ["float16", "float16"], "float16")
QUANTIZES = layer("q", "kgen", ["layer1"], ["float16"], "int8")


def test_a_sum_that_is_fused_into_its_convolution_is_as_asked() -> None:
    row = audited("layer1.add", SUM, FUSED)
    assert (row.asked, row.computed, row.inputs_pair, row.weights) == (SUM, "int8", "fused", "")
    assert (row.verdict, row.layers) == ("as asked", ("conv2 + add",))


def test_a_layer_that_only_quantizes_the_branch_is_told() -> None:
    row = audited("layer1.add", SUM, QUANTIZES, layer("add", "kgen", ["layer1"], ["int8", "float16"], "float16"), APART)
    assert (row.inputs_pair, row.verdict, row.computed) == ("its own layer: q", "not fused", "int8")


def test_a_sum_of_floats_fell_back_and_what_no_layer_names_is_unknown() -> None:
    row = audited("layer1.add", SUM, ADD, APART)
    assert (row.computed, row.inputs_pair, row.verdict) == ("float16", "not used", "fell back")
    assert audited("layer1.add", SUM, APART).verdict == "unknown"


def test_of_two_operations_of_a_module_that_differ_neither_is_known() -> None:
    joins = layer("cat", "Concat", ["layer1"], ["int8", "int8"], "int8")
    assert audited("layer1.add", SUM, ADD, joins, layer1__cat="concatenation in int8").verdict == "unknown"
    assert audited("layer1.add", SUM, joins, FUSED, layer1__cat="concatenation in int8").verdict == "as asked"


@pytest.mark.parametrize(("name", "module"), [("norm", "norm"), ("block.layer_norm_1", "block"), ("layer_norm", "")])
def test_a_norm_has_the_layers_of_its_module(name: str, module: str) -> None:
    norm = layer("norm", "kgen", [module], ["int8"], "float16")
    assert audited(name, "norm in int8", norm, APART).verdict == "as asked"
