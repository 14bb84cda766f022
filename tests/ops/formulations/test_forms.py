"""Every form of an operation equals torch and the neutral one, builds, and is other layers."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.comparing import TOLERANCES, Function, random_tensor, random_weights, relative_l2
from helpers.ops.forms import OTHERS, ROWS, TOGETHER, define, define_together, defined
from ops.cases.case import FLOATS, SIZES, Case, concrete, example, expected
from ops.cases.convolutions import conv
from ops.cases.forms import FORM_CASES, PATCH
from ops.cases.transformers import attention

import trtnet
from trtnet import nn, ops
from trtnet.graph.layers.read import read
from trtnet.ops.formulations import APPROXIMATIONS, FORMS, KINDS, Fastest, form, measured
from trtnet.support import backend
from trtnet.support.errors import ModelError, TrtnetError

SPLIT = {(kind, form) for kind in ("product", "pointwise", "stored_product", "split_k") for form in FORMS[kind]}
OF_KNOWN_SIZES = {("product", "row_blocks"), *(each for each in SPLIT if each[1] in ("halves", "quarters", "eighths"))}
"""Forms that apply to operations of known sizes only."""


def test_every_kind_has_cases_and_every_form_applies_to_one_static_and_dynamic() -> None:
    assert {*FORM_CASES} == {*FORMS}
    for kind, name in OTHERS:
        cases = FORM_CASES[kind]
        assert any(defined(kind, name, case, "float16") for case in cases), (kind, name)
        assert any(defined(kind, name, case, "float16", still(case)) for case in cases), (kind, name)
        named = [case for case in cases if any(isinstance(n, str) for shape in case.shapes for n in shape)]
        if kind != "row" and (kind, name) not in OF_KNOWN_SIZES:
            assert any(defined(kind, name, case, "float16") for case in named), (kind, name)


def differs(network: Any, case: Case, dtype: str) -> list[float]:
    """How far the reference's results are from torch's at three sizes, where that is more than it may be."""
    reference = network.reference()
    found = []
    for which in range(3):
        inputs = example(case, dtype, [concrete(shape, which) for shape in case.shapes])
        found.append(relative_l2(reference(*inputs), expected(case, inputs)))
    return [each for each in found if not each <= TOLERANCES[dtype]]


@pytest.mark.parametrize("dtype", [dtype for dtype in FLOATS if dtype != "float16"])
@pytest.mark.parametrize(("kind", "name", "case"), ROWS)
def test_every_form_equals_torch(kind: str, name: str, case: Case, dtype: str) -> None:
    network = defined(kind, name, case, dtype)
    assert network is None or not differs(network, case, dtype)


@pytest.mark.parametrize("rows", TOGETHER)
def test_every_form_equals_torch_in_float16_and_builds(rows: list[tuple[str, str, Case]]) -> None:
    networks = [defined(kind, name, case, "float16") for kind, name, case in rows]
    there = [(row, network) for row, network in zip(rows, networks, strict=True) if network is not None]
    wrong = {(*row[:2], row[2].name): differs(network, row[2], "float16") for row, network in there}
    assert not any(wrong.values()), {row: by for row, by in wrong.items() if by}
    if not there:
        return
    together = define_together([row for row, _ in there], "float16")  # fails if a form applies to nothing of its case
    try:
        assert built(together)
    except TrtnetError:
        for row, network in there:
            print("alone:", *row[:2], row[2].name)  # the one that does not build says so
            built(network)
        raise


def built(network: Any) -> bytes:
    return network.build({size: SIZES[size] for size in network.dims}).plan.data


@pytest.mark.parametrize("is_static", [True, False], ids=["static", "dynamic"])
@pytest.mark.parametrize(("kind", "name", "case"), [row for row in ROWS if row.values[1] != FORMS[row.values[0]][0]])
def test_every_form_equals_the_neutral_one_in_float32(kind: str, name: str, case: Case, is_static: bool) -> None:
    network = defined(kind, name, case, "float32", still(case) if is_static else None)
    if network is not None:
        inputs = example(case, "float32", still(case))
        assert relative_l2(network.reference()(*inputs), neutral(kind, case, is_static)) <= 1e-6


@cache
def neutral(kind: str, case: Case, is_static: bool) -> torch.Tensor:
    """What the neutral form gives."""
    network = define({kind: FORMS[kind][0]}, case, "float32", still(case) if is_static else None)
    return network.reference()(*example(case, "float32", still(case)))


def still(case: Case) -> list[tuple[int, ...]]:
    """The shapes at the sizes that are optimized for."""
    return [concrete(shape, 1) for shape in case.shapes]


@pytest.mark.parametrize(("kind", "name"), OTHERS)
def test_a_form_is_other_layers(kind: str, name: str) -> None:
    case = next(case for case in FORM_CASES[kind] if defined(kind, name, case, "float16"))
    neutral, other = (layers(define({kind: n}, case, "float16")) for n in (FORMS[kind][0], name))
    assert neutral != other


def row(kind: str, form: str, **ranges: Any) -> Fastest:
    """A row of the table for the TensorRT in use."""
    return Fastest(kind, form, backend.name(), ("1", "99"), "9.0", **ranges)


def layers(network: Any) -> list[tuple[str, str]]:
    """The kinds of the layers, and what a product takes transposed and a convolution in groups."""
    return [(n.kind, str([getattr(n.layer, name, "") for name in ("op1", "num_groups")])) for n in read(network.trt)]


def kinds(network: Any) -> list[str]:
    return [kind for kind, _ in layers(network)]


APPROXIMATE = [(kind, name) for kind, names_of in APPROXIMATIONS.items() for name in names_of]


OF_FLOAT16 = {"polynomial_float16"}
"""Approximations that are computed in float16."""


@pytest.mark.parametrize(("kind", "name"), APPROXIMATE)
def test_an_approximation_is_near_and_only_where_it_is_admitted(kind: str, name: str) -> None:
    case, dtype = FORM_CASES[kind][0], "float16" if name in OF_FLOAT16 else "float32"
    with pytest.raises(ModelError, match=rf"'{name}' of '{kind}' is an approximation.*approximations=True"):
        define({kind: name}, case, dtype)
    network = define({kind: name}, case, dtype, approximations=True)
    inputs = example(case, dtype, [concrete(shape, 2) for shape in case.shapes])
    assert 1e-6 < relative_l2(network.reference()(*inputs), expected(case, inputs)) < 1e-3
    assert network.build({size: SIZES[size] for size in network.dims}).plan.data


def test_a_measured_approximation_is_not_chosen_where_none_is_admitted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "MEASURED", [row("gelu", "tanh")])
    case = FORM_CASES["gelu"][0]
    assert define({}, case, "float16").forms.chosen[""]["gelu"] == "layer"
    chosen = define({}, case, "float16", approximations=True).forms
    assert (chosen.chosen[""]["gelu"], chosen.by[""]["gelu"]) == ("tanh", "table")


def test_a_form_is_declared_once_and_its_kind_exists() -> None:
    for kind, name, text in (("gelu", "float32", "has a form"), ("gellu", "float32", "there is no kind")):
        with pytest.raises(ValueError, match=text):
            form(kind, name)(lambda x: x)


def test_a_form_that_does_not_apply_is_an_error_that_says_where_it_does() -> None:
    with pytest.raises(ModelError, match=r"'float32' of 'gelu' applies to no operation of the network: .* float16"):
        define({"gelu": "float32"}, FORM_CASES["gelu"][0], "float32")
    assert KINDS["gelu"].forms["float32"].where == "where the operation is of float16"


def test_without_a_choice_it_is_the_measured_form_else_the_neutral_one(monkeypatch: pytest.MonkeyPatch) -> None:
    case = FORM_CASES["attention"][0]
    for name, layer in (("products", "SOFTMAX"), ("fused", "ATTENTION_INPUT")):
        monkeypatch.setattr(measured, "MEASURED", [row("attention", name)])
        assert layer in kinds(define({}, case, "float16"))
    monkeypatch.setattr(measured, "MEASURED", [])
    assert "ATTENTION_INPUT" in kinds(define({}, case, "float16"))


@pytest.mark.parametrize(
    ("forms", "text"),
    [
        ({"gelu": "fast"}, "there is no form 'fast' of 'gelu'; gelu: layer or float32"),
        ({"gelu": "float23"}, "there is no form 'float23' of 'gelu'; did you mean float32?"),
        ({"softmaks": "layer"}, "there is no kind 'softmaks'; did you mean softmax?"),
        ({"xyz": "layer"}, "there is no kind 'xyz'; there are accumulation: native or float32"),
    ],
)
def test_an_unknown_form_is_an_error_that_lists_the_known_ones(forms: dict[str, str], text: str) -> None:
    with pytest.raises(ModelError, match=re.escape(text)):
        define(forms, FORM_CASES["gelu"][0], "float16")


def test_windows_that_overlap_or_leave_a_rest_stay_convolutions() -> None:
    for shape, options in (((1, 3, 4, 9), {"stride": (1, 3)}), ((1, 3, 5, 9), {"stride": (2, 3)})):
        case = Case("conv", conv(ops.conv2d, PATCH, **options), conv(F.conv2d, PATCH, **options), (shape,))
        network = define({}, case, "float32")
        assert "CONVOLUTION" in kinds(network)
        inputs = example(case, "float32", [shape])
        assert relative_l2(network.reference()(*inputs), expected(case, inputs)) <= TOLERANCES["float32"]


@pytest.mark.parametrize(
    ("dtype", "width", "fused"), [("float16", 12, False), ("float32", 12, True), ("float16", 8, True)]
)
def test_heads_without_a_fused_kernel_are_products(dtype: str, width: int, fused: bool) -> None:
    case = Case("attention", attention(), attention(), (("n", 4, "s", width),) * 3)
    network = define({"attention": "fused"}, case, dtype)
    assert ("ATTENTION_INPUT" in kinds(network)) is fused
    inputs = example(case, dtype, [(2, 4, 5, width)] * 3)
    assert relative_l2(network.reference()(*inputs), expected(case, inputs)) <= TOLERANCES[dtype]


def test_a_measured_form_holds_in_the_range_that_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    case = FORM_CASES["row"][0]
    for least, most, is_product in ((30, 6, False), (31, 6, True), (30, 5, True)):
        ranges: Any = {"dtypes": ("float16",), "least": {"weights": least}, "most": {"in_features": most}}
        monkeypatch.setattr(measured, "MEASURED", [row("row", "reduction", **ranges)])
        assert ("MATRIX_MULTIPLY" in kinds(define({}, case, "float16"))) is is_product
        assert "MATRIX_MULTIPLY" in kinds(define({}, case, "float32"))


class Stems(nn.Module):
    """Two first convolutions; of `second`, the convolution's own result is an output too."""

    def __init__(self) -> None:
        self.first, self.norm1 = nn.Conv2d(3, 4, 7, 2, 3, bias=False), nn.BatchNorm2d(4)
        self.second, self.norm2 = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)

    def forward(self, x: Any) -> Any:
        y = self.second(x)
        return self.norm1(self.first(x)), self.norm2(y), y


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_batch_norm_goes_into_a_rearranged_convolution(dtype: str) -> None:
    weights = random_weights(Stems())
    shape = {"x": trtnet.Input(("n", 3, 18, 20))}
    forms = {"stem": "space_to_depth", "thin": "padded"}
    network = trtnet.define(Stems(), shape, weights, dtype=dtype, forms=forms)
    plain = trtnet.define(Stems(), shape, weights, forms={"stem": "convolution", "thin": "convolution"})
    x = random_tensor(2, 3, 18, 20, dtype=dtype)
    for ours, theirs in zip(network.reference()(x), plain.reference()(x.float()), strict=True):
        assert relative_l2(ours, theirs) <= 3 * TOLERANCES[dtype]
    assert kinds(network).count("CONVOLUTION") == 2 and kinds(network).count("SCALE") == 1
    assert network.build({"n": (1, 2, 3)}).plan.data


def test_forms_by_module_path_and_the_record_of_what_was_chosen() -> None:
    x, weights = {"x": trtnet.Input((1, 3, 18, 20))}, random_weights(Stems())
    forms = {"thin": {"second": "padded", "third.*": "convolution"}, "stem": "convolution"}
    with pytest.raises(ModelError, match=r"no module 'third\.\*' has an operation .* 'thin'; it is in 'second'"):
        trtnet.define(Stems(), x, weights, forms=forms)
    network = trtnet.define(Stems(), x, weights, forms=forms | {"thin": {"second": "padded"}})
    info = network.describe()
    assert info.forms == {"first": {"stem": "convolution"}, "second": {"thin": "padded"}}
    assert info.forms_by == {"first": {"stem": "user"}, "second": {"thin": "user: second"}}


class Original(torch.nn.Module):
    """A live torch module."""

    def __init__(self) -> None:
        super().__init__()
        self.layer1 = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.GELU(), torch.nn.Linear(8, 6))
        self.layer2 = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.GELU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.silu(self.layer2(self.layer1(x)))


def test_the_modules_of_a_torch_module_have_forms_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "MEASURED", [row("silu", "tanh")])
    forms = {"product": {"layer1.*": "stored"}, "gelu": {"layer2.1": "float32", "*": "layer"}}
    example = {"x": trtnet.Input(("n", 6))}
    network = trtnet.define(Original().eval(), example, dtype="float16", forms=forms)
    assert network.forms.chosen == {
        "layer1.0": {"product": "stored", "accumulation": "native", "bias": "add"},
        "layer1.1": {"gelu": "layer"},
        "layer1.2": {"product": "stored", "accumulation": "native", "bias": "add"},
        "layer2.0": {"product": "transposed", "accumulation": "native", "bias": "add"},
        "layer2.1": {"gelu": "float32"},
        "": {"silu": "tanh"},
    }
    assert [*network.forms.by.values()] == [
        {"product": "user: layer1.*", "accumulation": "neutral", "bias": "neutral"},
        {"gelu": "user"},
        {"product": "user: layer1.*", "accumulation": "neutral", "bias": "neutral"},
        {"product": "neutral", "accumulation": "neutral", "bias": "neutral"},
        {"gelu": "user: layer2.1"},
        {"silu": "table"},
    ]
    with pytest.raises(ModelError, match=r"'merged' of 'row' .*|no module 'layer1.0' .* 'row'; there are choices of"):
        trtnet.define(Original().eval(), example, forms={"row": {"layer1.0": "merged"}})


def test_a_kind_that_the_network_does_not_have_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    define({"gelu": "layer"}, FORM_CASES["attention"][0], "float16")
    assert "no operation of the kind 'gelu'; there are choices of attention" in caplog.text


def test_products_of_two_branches_are_not_merged() -> None:
    matrices = np.random.default_rng(5).standard_normal((3, 4, 6)).astype(np.float32)

    def branches(x: Any) -> Any:
        def both(y: Any, first: int) -> Any:
            return ops.linear(y, matrices[first]) + ops.linear(y, matrices[first + 1])

        return ops.cond(ops.sum(x) > 0, lambda y: both(y, 0), lambda y: both(y, 1), (x,))

    inputs = {"x": trtnet.Input(("n", 130, 6))}
    network = trtnet.define(Function(branches), inputs, {}, forms={"product": "merged"})
    assert kinds(network).count("MATRIX_MULTIPLY") == 2
    for sign in (1, -1):
        x = sign * random_tensor(2, 130, 6).abs()
        used = matrices[0] + matrices[1] if sign > 0 else matrices[1] + matrices[2]
        assert relative_l2(network.reference()(x), x @ torch.from_numpy(used).T) <= 1e-6
    assert network.build({"n": (1, 2, 3)}).plan.data


def test_a_bias_has_forms_beside_the_product_of_a_constant_matrix_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quantized product and its bias are one kernel; a weight that is computed may have sizes that are not known."""
    monkeypatch.setattr(measured, "MEASURED", [row("bias", "apart")])
    layer = torch.nn.Linear(32, 32).eval()
    plain, quantized = (
        trtnet.define(layer, {"x": trtnet.Input(("n", 32))}, dtype="float16", quantization=scheme)
        for scheme in (None, {"*": "int8_weights"})
    )
    assert plain.forms.chosen[""]["bias"] == "apart" and "bias" not in quantized.forms.chosen.get("", {})

    class Computed(torch.nn.Module):
        def forward(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.linear(x, weight, weight[:, 0])

    inputs = {"x": trtnet.Input(("n", 4)), "weight": trtnet.Input(("m", 4))}
    assert "bias" not in trtnet.define(Computed().eval(), inputs).forms.chosen.get("", {})
