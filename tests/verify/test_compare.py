"""Things of every kind against each other: what is compared with what, on which inputs, and what the report says."""

from __future__ import annotations

import copy
import json
import re
import warnings
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from helpers import originals
from helpers.comparing import network_of
from helpers.runtime.fakes import Opener

import trtnet
from trtnet import models
from trtnet.runtime import Engine
from trtnet.support.errors import DifferenceError, InputError, ModelError, TrtnetError
from trtnet.verify import Tolerance
from trtnet.verify.comparison.compare import compare

PIXELS = 64
X = {"x": trtnet.Input(("n", 3))}


def exported(module: torch.nn.Module, *arguments: torch.Tensor, path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, arguments, path, dynamo=True, verbose=False)
    return path


@pytest.fixture(scope="module")
def resnet() -> torch.nn.Module:
    torch.manual_seed(0)
    return originals.randomize(originals.resnet("resnet18"))


def test_three_ways_in_float32_and_float16(resnet: torch.nn.Module, tmp_path: Path) -> None:
    image = torch.zeros(2, 3, PIXELS, PIXELS)
    half = copy.deepcopy(resnet).half()
    inputs = {"image": trtnet.Input(("batch", 3, PIXELS, PIXELS))}
    report = trtnet.compare(
        {
            "trtnet float32": trtnet.define(models.resnet18(), inputs, resnet.state_dict()),
            "ONNX parser float32": exported(resnet, image, path=tmp_path / "float32.onnx"),
            "trtnet float16": trtnet.define(models.resnet18(), inputs, resnet.state_dict(), dtype="float16"),
            "ONNX parser float16": exported(half, image.half(), path=tmp_path / "float16.onnx"),
        },
        {"torch": resnet},
        iterations=2,
    )
    print(report)
    assert report.passed
    full, parsed, half_precision, parsed_half = report.outputs
    for output, dtype in ((full, "float32"), (half_precision, "float16")):
        assert output.worst.dtype == dtype and output.worst.shape == (2, 1000) and len(output.iterations) == 2
    assert 0 < full.worst.relative_l2 < 1e-5 < half_precision.worst.relative_l2 < 5e-3
    assert parsed.worst.relative_l2 < 1e-5 < parsed_half.worst.relative_l2 < 5e-3
    # the file says how the parser's output is called, and that it takes two images
    assert parsed.output != "output" and parsed.expected_output == "output"
    text = str(report)
    assert "torch: input image cast from float16 to float32, exactly" in text
    assert f"ONNX parser float32: outputs by order: {parsed.output} against output" in text
    assert text.count("PASS") == 4 and "FAIL" not in text


def test_a_wrong_model_fails_and_the_report_says_by_how_much(resnet: torch.nn.Module) -> None:
    inputs = {"image": trtnet.Input((1, 3, PIXELS, PIXELS))}
    wrong = copy.deepcopy(resnet)
    wrong.layer4[1].bn2.eps = 0.1
    report = compare(trtnet.define(models.resnet18(), inputs, resnet.state_dict()), wrong)
    assert not report.passed
    (output,) = report.outputs
    with pytest.raises(DifferenceError, match=r"relative L2 .* > 1e-05") as raised:
        report.raise_if_failed()
    assert f"relative_l2={output.worst.relative_l2:.3g}" in str(raised.value) and "largest error at [0, " in str(
        raised.value
    )
    found = output.worst
    assert compare(
        trtnet.define(models.resnet18(), inputs, resnet.state_dict()), wrong, tolerance=Tolerance(atol=found.max_abs)
    ).passed


def test_an_engine_and_a_session_on_a_device() -> None:
    network = network_of(lambda x: x * 2 + 1, X)
    plan = network.build({"n": (1, 2, 4)}).plan
    engine = Engine(plan, Opener(network.reference()))
    report = compare(
        {"engine": engine, "session": engine.session(), "reference": network.reference(), "network": network},
        {"function": lambda x: {"y": x * 2 + 1}},
        dims={"n": 3},
    )
    assert report.passed and [output.candidate for output in report.outputs] == [
        "engine", "session", "reference", "network",
    ]  # fmt: skip
    assert all(output.worst.shape == (3, 3) for output in report.outputs)
    assert [output.tolerance.relative_l2 for output in report.outputs] == [1e-4, 1e-4, 1e-5, 1e-5]


def test_the_dtype_of_the_network_chooses_the_tolerance() -> None:
    def noisy(x: Any) -> Any:
        return (x * 2 + 1).astype(np.float32) * np.float32(1.001)

    full = compare(network_of(lambda x: x * 2 + 1, X), noisy, dims={"n": 2})
    half = compare(network_of(lambda x: x * 2 + 1, X, "float16"), noisy, dims={"n": 2})
    assert full.outputs[0].tolerance.relative_l2 == 1e-5 and not full.passed
    assert half.outputs[0].tolerance.relative_l2 == 1e-2 and half.passed
    only = compare(network_of(lambda x: x * 2 + 1, X), noisy, dims={"n": 2}, tolerance={"output": Tolerance(rtol=0.01)})
    assert only.passed
    with pytest.raises(
        InputError, match="a tolerance for logits, which is not an output of the reference; its outputs are output"
    ):
        compare(network_of(lambda x: x, X), lambda x: x, dims={"n": 2}, tolerance={"logits": Tolerance(rtol=1)})


def test_random_inputs_are_of_the_seed_and_in_range() -> None:
    network = network_of(
        lambda ids, x, mask: x * ids.to("float32") * mask.to("float32"),
        {"ids": trtnet.Input(("n", 3), "int64"), "x": trtnet.Input(("n", 3)), "mask": trtnet.Input(("n", 3), "bool")},
    )

    def product(ids: Any, x: Any, mask: Any) -> Any:
        return x * ids * mask

    def run(seed: int, ranges: Any) -> Any:
        return compare(network, product, dims={"n": 50}, ranges=ranges, seed=seed, iterations=2, keep=True)

    ranges = {"ids": (5, 9), "x": (-2, -1)}
    first, again, other = run(0, ranges), run(0, ranges), run(1, ranges)
    assert first.passed
    for a, b, c in zip(first.kept_inputs, again.kept_inputs, other.kept_inputs, strict=True):
        assert set(np.unique(a["ids"])) == {5, 6, 7, 8} and a["ids"].dtype == np.int64
        assert -2 <= a["x"].min() < a["x"].max() < -1 and set(np.unique(a["mask"])) == {False, True}
        assert all(np.array_equal(a[name], b[name]) for name in a)
        assert not np.array_equal(a["x"], c["x"])
    assert not np.array_equal(first.kept_inputs[0]["x"], first.kept_inputs[1]["x"])
    with pytest.raises(InputError, match=r"input ids .* integers: give their range: ranges=\{'ids': \(0, 30000\)\}"):
        run(0, None)
    with pytest.raises(InputError, match="a range for z, which is not an input; the inputs are ids, x, mask"):
        run(0, ranges | {"z": (0, 1)})
    with pytest.raises(InputError, match=r"the range .* is empty"):
        run(0, {"ids": (5, 5)})


def test_sizes_of_dynamic_dimensions() -> None:
    network = network_of(lambda x: x + 1, X)
    with pytest.raises(InputError, match=r"give the size of n: dims=\{'n': 1\}"):
        compare(network, network.reference())
    with pytest.raises(InputError, match="a size for batch, which no input has; the dynamic dimensions are n"):
        compare(network, network.reference(), dims={"batch": 2})
    fixed = network_of(lambda x: x + 1, {"x": trtnet.Input((4, 3))})
    assert compare({"a": network}, {"b": fixed}).outputs[0].worst.shape == (4, 3)
    with pytest.raises(InputError, match="axis 0 of input x has different sizes"):
        compare({"a": network}, {"b": fixed}, dims={"n": 2})


def test_an_input_that_says_sizes_says_those_of_dims() -> None:
    inputs = {"x": trtnet.Input((1, 3)), "sizes": trtnet.Input((1,), "int64", values=("rows",))}
    network = network_of(lambda x, sizes: x.expand(sizes.tolist()[0], 3), inputs)
    report = compare(network, lambda x, sizes: np.broadcast_to(x, (sizes[0], 3)), dims={"rows": 4})
    assert report.passed and report.outputs[0].worst.shape == (4, 3)
    with pytest.raises(InputError, match="give the size of rows"):
        compare(network, network.reference())


class TwoInputs(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(3, 3)
        self.dropout = torch.nn.Dropout()
        self.dropout.eval()

    def forward(self, a: torch.Tensor, b: torch.Tensor | None = None) -> Any:
        assert not torch.is_grad_enabled() and not self.training
        hidden = self.dropout(self.linear(a))
        return {"logits": hidden if b is None else hidden + b, "hidden": (hidden, None), "cache": object()}


def test_a_torch_module_by_name_and_by_position_and_its_modes_come_back() -> None:
    module = TwoInputs().train()
    module.dropout.eval()
    x = {"a": np.ones((2, 3), np.float32), "b": np.ones((2, 3), np.float32)}
    expected = module.linear(torch.ones(2, 3)).detach().numpy() + 1
    named = compare(lambda a, b: {"logits": expected, "hidden.0": expected - 1}, module, x)
    assert named.passed, str(named)
    assert any("results left out, no arrays: cache (object)" in note for note in named.notes)
    assert not any("position" in note for note in named.notes)
    placed = compare(lambda p, q: {"logits": expected, "hidden.0": expected - 1}, module, {"p": x["a"], "q": x["b"]})
    assert placed.passed and any("inputs by position: p is its a, q is its b" in note for note in placed.notes)
    assert module.training and module.linear.training and not module.dropout.training


def test_what_one_does_to_its_inputs_does_not_reach_the_others() -> None:
    class InPlace(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.add_(1)

    x = np.zeros(3, np.float32)
    report = compare(
        {"first": InPlace(), "second": InPlace(), "network": network_of(lambda x: x + 1, {"x": trtnet.Input((3,))})},
        lambda x: x + 1,
        {"x": x},
    )
    assert report.passed and not x.any() and x.flags.writeable

    def careless(x: Any) -> Any:
        x += 1
        return x

    with pytest.raises(ValueError, match="read-only"):
        compare(careless, lambda x: x, {"x": x})


def test_casts_are_reported_and_nothing_is_lost_silently() -> None:
    module = torch.nn.Linear(3, 3).half()
    x = np.full((2, 3), 1 + 2**-20, np.float32)
    report = compare(lambda x: module(torch.ones(2, 3).half()).detach(), module, x)
    assert report.passed and any("input input cast from float32 to float16, rounded" in n for n in report.notes)
    with pytest.raises(InputError, match=r"float16, which does not hold 1e\+06"):
        compare(lambda x: x, module, np.full((2, 3), 1e6, np.float32))
    network = network_of(lambda x: x + 1, {"x": trtnet.Input((2,), "int32")})
    wide = compare(network, lambda x: x + 1, {"x": np.array([1, 2], np.int64)})
    assert any("input x cast from int64 to int32, exactly" in note for note in wide.notes)
    assert any("int32 (int64)" in line for line in str(wide).splitlines()) and wide.passed
    with pytest.raises(InputError, match="int32, which does not hold 4294967296"):
        compare(network, lambda x: x, {"x": np.array([1, 2**32])})
    with pytest.raises(InputError, match="input x is int32; found float32, which is not cast to it"):
        compare(network, lambda x: x, {"x": np.zeros(2, np.float32)})


def several(**outputs: Any) -> Any:
    return lambda x: {name: np.full(2, value, np.float32) for name, value in outputs.items()}


def test_outputs_are_matched_by_name_else_by_order_else_not() -> None:
    x = np.zeros(2, np.float32)
    assert compare(several(a=1, b=2), several(b=2, a=1), x).passed
    by_order = compare(several(a=1, b=2), several(c=1, d=2), x)
    assert by_order.passed and any("outputs by order: a against c, b against d" in note for note in by_order.notes)
    more = compare(several(a=1, b=2), several(a=1), x)
    assert more.passed and any("not compared, as they are not expected: b" in note for note in more.notes)
    missing = r"reference are missing: b; there are a.*outputs={'a': 'a'} \(--output a=a\)"
    with pytest.raises(InputError, match=missing):
        compare(several(a=1), several(a=1, b=2), x)
    assert compare(several(a=1), several(a=1, b=2), x, outputs={"a": "a"}).passed
    for ours, theirs, say in (
        ({"a": 1, "b": 2}, {"a": 1, "c": 2}, r"outputs={'c': 'b'} \(--output c=b\)"),
        ({"a": 1}, {"b": 1, "c": 2}, r"outputs={'b': 'a'} \(--output b=a\)"),
    ):
        with pytest.raises(InputError, match=f"which outputs belong together.*{say}"):
            compare(several(**ours), several(**theirs), x)
    for ours, theirs, side in (({}, {"a": 1}, "found"), ({"a": 1}, {}, "expected"), ({}, {}, "found")):
        with pytest.raises(InputError, match=f"no outputs are {side}: there is nothing to compare"):
            compare(several(**ours), several(**theirs), x)
    chosen = compare(several(a=1, b=2), several(a=2, c=1), x, outputs={"c": "a", "a": "b"})
    assert chosen.passed and len(chosen.outputs) == 2
    with pytest.raises(InputError, match="outputs= names 'z'; there are a, b"):
        compare(several(a=1, b=2), several(a=1), x, outputs={"a": "z"})


class Raises(torch.nn.Module):
    """Its inner module raises what torch does not."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = torch.nn.Sequential(torch.nn.Linear(3, 3), Asserts())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x)


class Asserts(torch.nn.Module):
    def forward(this, x: torch.Tensor) -> torch.Tensor:  # noqa: N805
        assert x.shape[0] == 1, "one at a time"
        return x


def test_what_the_torch_module_raises_says_where_and_on_what() -> None:
    network = network_of(lambda x: x + 1, X)
    for width, words in (
        (3, r"in inner.1 \(Asserts\): AssertionError: one at a time"),
        (4, r"in inner.0 \(Linear\): RuntimeError: mat1"),
    ):
        with pytest.raises(
            InputError, match=rf"module Raises does not run on x \[2, {width}\] float32: {words}"
        ) as raised:
            compare(lambda x: x, Raises(), {"x": np.zeros((2, width), np.float32)})
        assert isinstance(raised.value.__cause__, AssertionError if width == 3 else RuntimeError)
    with pytest.raises(InputError, match=r"^input x \[n, 3\] float32: found \[2, 4\] float32$"):
        compare(network, Raises(), {"x": np.zeros((2, 4), np.float32)})


def test_another_shape_and_a_nan_are_results() -> None:
    x = np.zeros(2, np.float32)
    shape = compare(lambda x: x[None], lambda x: x, x)
    assert not shape.passed and "FAIL shape [1, 2], expected [2]" in str(shape)
    nan = compare(lambda x: x * np.nan, lambda x: x, x)
    assert not nan.passed and "FAIL 2 NaN and 0 infinite values" in str(nan)
    assert not compare(lambda x: x * np.nan, lambda x: x * np.nan, x).passed
    text = json.dumps(nan.to_json(), allow_nan=False)
    assert json.loads(text)["outputs"][0]["iterations"][0]["max_abs"] == "inf"


def test_the_worst_of_several_iterations_counts() -> None:
    inputs = [{"x": np.full(3, value, np.float32)} for value in (1, 100, 1)]
    report = compare(lambda x: x + (x > 50) * 0.5, lambda x: x, inputs)
    (output,) = report.outputs
    assert [m.max_abs for m in output.iterations] == [0, 0.5, 0] and output.failures == (
        "iteration 1: relative L2 0.005 > 1e-05",
    )
    assert output.over_iterations()["max_abs"] == {"median": 0, "p90": 0.5, "max": 0.5}
    assert output.sample is not None and output.sample[1][0] == 100
    document = report.to_json()
    assert not document["passed"] and document["seed"] is None
    assert document["outputs"][0]["smallest_passing"]["max_abs"] == 0.5


def test_what_cannot_be_compared(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"LeNet has no weights yet: compare trtnet.define\(model, weights=...\)"):
        compare(models.lenet(), lambda x: x)
    with pytest.raises(ModelError, match="an int cannot be compared"):
        compare(3, lambda x: x)
    with pytest.raises(InputError, match="none of the sources declares its inputs: give inputs"):
        compare(lambda x: x, lambda y: y)
    with pytest.raises(InputError, match="give one reference"):
        compare(lambda x: x, {"a": lambda x: x, "b": lambda x: x}, np.zeros(2))
    with pytest.raises(InputError, match=r"inputs x, y do not fit \(x\)"):
        compare(lambda x: x, lambda x: x, {"x": np.zeros(2), "y": np.zeros(2)})
    network = network_of(lambda x: x + 1, X)
    with pytest.raises(InputError, match="input x is missing; it takes x, given are p, q"):
        compare(network, lambda **_: 0, {"p": np.zeros(2), "q": np.zeros(2)})
    with pytest.raises(InputError, match="input x takes an array; found str"):
        compare(network, lambda x: x, {"x": "picture.jpg"})


def test_junit_has_a_case_for_each_output(tmp_path: Path) -> None:
    x = np.random.default_rng(0).standard_normal((4, 6, 8)).astype(np.float32)
    hostile = "<a>&\x1b\x00"
    report = compare({hostile: lambda x: {"y": x * 1.01, "z": x[0, 0]}}, lambda x: {"y": x, "z": x[0, 0]}, x)
    report.save(tmp_path / "report.xml")
    top = ElementTree.parse(tmp_path / "report.xml").getroot()
    (suite,) = top
    assert top.tag == "testsuites" and suite.attrib.items() >= {"tests": "2", "failures": "1", "errors": "0"}.items()
    failed, passed = suite.findall("testcase")
    assert failed.attrib == {"classname": r"<a>&\x1b\x00", "name": "y"} and passed.attrib["name"] == "z"
    assert failed.find("failure").attrib["message"].startswith("relative L2 0.01 > 1e-05")
    assert "passes with atol=" in failed.find("failure").text and passed.find("failure") is None
    again = compare({hostile: lambda x: {"y": x * 1.01, "z": x[0, 0]}}, lambda x: {"y": x, "z": x[0, 0]}, x)
    again.save(tmp_path / "again.xml")
    assert (tmp_path / "again.xml").read_bytes() == (tmp_path / "report.xml").read_bytes()


def test_the_page_needs_nothing_else_and_escapes_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).standard_normal((4, 6, 8)).astype(np.float32)
    with pytest.raises(TrtnetError, match=r"rep\.png: a page is written as \.html or \.htm"):
        compare(lambda x: x, lambda x: x, x).save(tmp_path / "rep.png")
    assert not (tmp_path / "rep.png").exists()
    hostile = "</title><script>alert(1)</script>"
    report = compare({hostile: lambda x: {"y": x * 1.01, "z": x[0, 0]}}, lambda x: {"y": x, "z": x[0, 0]}, x)
    report.save(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "<script" not in page
    links = re.findall(r"(?:src|href)=[\"']?(.{5})", page) + re.findall(r"url\((.)", page)
    assert links and all(link.startswith(("#", "data:")) for link in links)
    assert page.count("<svg") == 1 and "FAIL" in page and "PASS" in page
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    report.save(tmp_path / "plain.html")
    plain = (tmp_path / "plain.html").read_text()
    assert "<svg" not in plain and "pip install 'trtnet[viz]'" in plain and "<table>" in plain


@pytest.mark.parametrize("shape", [(), (1,), (300, 3), (2, 3, 4, 5), (5000,)])
@pytest.mark.parametrize(("value", "elements"), [(0.5, 100), (float("nan"), 1 << 22), (float("-inf"), 7)])
def test_plots_of_any_array(
    shape: tuple[int, ...], value: float, elements: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trtnet.verify.comparison.plots import svg

    monkeypatch.setattr("trtnet.verify.comparison.plots.ELEMENTS", elements)
    expected = np.zeros(shape, np.float16)
    assert svg(np.full(shape, value, np.float32), expected).startswith("<svg")


class Padded(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layer = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.encoder = torch.nn.TransformerEncoder(layer, 1)

    def forward(self, x: torch.Tensor, padded: torch.Tensor) -> Any:
        return self.encoder(x, src_key_padding_mask=padded)


@pytest.mark.parametrize("was", [True, False])
def test_padded_positions_of_an_encoder_are_compared_without_torchs_fast_path(was: bool) -> None:
    """It returns zeros there; what it was set to is set again."""
    torch.manual_seed(0)
    inputs = {"x": trtnet.Input((2, 4, 8)), "padded": trtnet.Input((2, 4), "bool")}
    network = trtnet.define(Padded().eval(), inputs)
    padded = np.array([[False, False, True, True], [False] * 4])
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(was)
    try:
        x = np.random.default_rng(0).standard_normal((2, 4, 8)).astype(np.float32)
        report = trtnet.compare(network, inputs={"x": x, "padded": padded})
        assert torch.backends.mha.get_fastpath_enabled() is was
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
    assert report.passed
    assert ("fast path of TransformerEncoder was off" in str(report)) is was


def test_indices_of_a_table_are_any_of_its_rows() -> None:
    inputs, weights = {"ids": trtnet.Input(("n",), "int64")}, {"weight": np.eye(5, dtype=np.float32)}
    network = trtnet.define(trtnet.nn.Embedding(5, 5), inputs, weights)
    report = compare(network, lambda ids: np.eye(5, dtype=np.float32)[ids], dims={"n": 100}, keep=True)
    assert report.passed and set(report.kept_inputs[0]["ids"].tolist()) == {0, 1, 2, 3, 4}
