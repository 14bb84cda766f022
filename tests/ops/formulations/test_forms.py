"""Every form of an operation equals torch, builds, and is other layers than the neutral one."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch.nn.functional as F
from helpers.comparing import TOLERANCES, Function, random_tensor, random_weights, relative_l2
from ops.cases.case import FLOATS, SIZES, Case, concrete, example, expected, names
from ops.cases.convolutions import conv
from ops.cases.transformers import attention

import trtnet
from trtnet import nn, ops
from trtnet.ops.formulations import FORMS, MEASURED, Fastest
from trtnet.support import backend
from trtnet.support.errors import ModelError

RNG = np.random.default_rng(3)
PATCH, SHIFT = RNG.standard_normal((5, 3, 2, 3)) / 4, RNG.standard_normal(5)
HEADS, GROUPS = ("n", 4, "s", 8), ("n", 2, "s", 8)


def patches(bias: np.ndarray | None) -> tuple[Any, Any]:
    return tuple(conv(f, PATCH, bias, stride=(2, 3)) for f in (ops.conv2d, F.conv2d))


def pair(ours: Any, theirs: Any, kernel: np.ndarray, bias: np.ndarray | None, **options: Any) -> tuple[Any, Any]:
    return tuple(conv(f, kernel, bias, **options) for f in (ours, theirs))


MATRIX = RNG.standard_normal((5, 6)) / 2
PIXEL, THIN = RNG.standard_normal((5, 3, 1, 1)), RNG.standard_normal((5, 3, 3, 2)) / 4
STEMS = [
    ((7, 7), 2, 3, (16, 20)),
    ((7, 7), 2, 3, (15, 17)),
    ((11, 11), 4, 2, (31, 24)),
    ((5, 6), (2, 3), (1, 0), (17, 12)),
    ((4, 4), (1, 2), (2, 3), (9, 8)),
    ((3, 7, 7), (1, 2, 2), (1, 3, 3), (4, 12, 11)),
]


def strided(window: tuple[int, ...], stride: Any, padding: Any) -> tuple[Any, Any]:
    kernel = RNG.standard_normal((5, 3, *window)) / 8
    ours, theirs = (ops.conv2d, F.conv2d) if len(window) == 2 else (ops.conv3d, F.conv3d)
    return pair(ours, theirs, kernel, SHIFT, stride=stride, padding=padding)


CASES = {
    "attention": [
        Case("attention", attention(), attention(), (HEADS,) * 3),
        Case("causal", attention(is_causal=True), attention(is_causal=True), (HEADS,) * 3),
        Case("groups", attention(), attention(), (HEADS, GROUPS, GROUPS)),
        Case("mask and groups", attention(), attention(), (HEADS, GROUPS, GROUPS, ("n", 1, "s", "s"))),
    ],
    "decoding": [
        Case("one query", attention(), attention(), (("n", 4, 1, 8), HEADS, HEADS)),
        Case(
            "one query, mask and groups", attention(), attention(), (("n", 4, 1, 8), GROUPS, GROUPS, ("n", 1, 1, "s"))
        ),
    ],
    "pointwise": [
        Case("pointwise", *pair(ops.conv2d, F.conv2d, PIXEL, SHIFT), (("n", 3, 1, 1),)),
        Case("pointwise without bias", *pair(ops.conv2d, F.conv2d, PIXEL, None), ((2, 3, 1, 1),)),
    ],
    "row": [
        Case("row", *pair(ops.linear, F.linear, MATRIX, SHIFT), ((1, 1, 6),)),
        Case("a vector", *pair(ops.linear, F.linear, MATRIX, None), ((6,),)),
    ],
    "stem": [
        Case(
            f"stem {'x'.join(map(str, window))} stride {stride} padding {padding} of {sizes}",
            *stem,
            (("n", 3, *sizes),),
        )
        for window, stride, padding, sizes in STEMS
        for stem in [strided(window, stride, padding)]
    ],
    "thin": [
        Case("thin", *pair(ops.conv2d, F.conv2d, THIN, SHIFT, padding=1), (("n", 3, "s", 9),)),
        Case("thin without bias", *pair(ops.conv2d, F.conv2d, THIN, None), ((2, 3, 6, 9),)),
    ],
    "gelu": [
        Case("gelu", ops.gelu, F.gelu, (("n", 3, "s"),)),
        Case("tanh", lambda x: ops.gelu(x, "tanh"), lambda x: F.gelu(x, approximate="tanh"), (("n", 3, "s"),)),
    ],
    "patches": [
        Case("patches", *patches(SHIFT), (("n", 3, 4, 9),)),
        Case("patches without bias", *patches(None), ((2, 3, 4, 9),)),
    ],
}
ROWS = [
    pytest.param({kind: form}, case, dtype, id=f"{kind}={form}-{case.name}-{dtype}")
    for kind, forms in FORMS.items()
    for form, case, dtype in itertools.product(forms, CASES[kind], FLOATS)
]


def define(forms: dict[str, str], case: Case, dtype: str) -> Any:
    inputs = {name: trtnet.Input(shape, dtype) for name, shape in zip(names(case), case.shapes, strict=True)}
    return trtnet.define(Function(case.ours), inputs, {}, dtype=dtype, forms=forms)


@pytest.mark.parametrize(("forms", "case", "dtype"), ROWS)
def test_every_form_equals_torch_and_builds(forms: dict[str, str], case: Case, dtype: str) -> None:
    network = define(forms, case, dtype)
    reference = network.reference()
    for which in range(3):
        inputs = example(case, dtype, [concrete(shape, which) for shape in case.shapes])
        assert relative_l2(reference(*inputs), expected(case, inputs)) <= TOLERANCES[dtype]
    assert network.build({name: SIZES[name] for name in network.dims}).plan.data


@pytest.mark.parametrize(("kind", "form"), [(kind, form) for kind, forms in FORMS.items() for form in forms[1:]])
def test_a_form_is_other_layers(kind: str, form: str) -> None:
    case = CASES[kind][0]
    neutral, other = (kinds(define({kind: name}, case, "float16")) for name in (FORMS[kind][0], form))
    assert neutral != other


def kinds(network: Any) -> list[str]:
    return [network.trt.get_layer(i).type.name for i in range(network.trt.num_layers)]


def test_without_a_choice_it_is_the_measured_form_else_the_neutral_one(monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES["attention"][0]
    for form, layer in (("products", "SOFTMAX"), ("fused", "ATTENTION_INPUT")):
        monkeypatch.setitem(MEASURED, backend.name(), {"attention": Fastest(form)})
        assert layer in kinds(define({}, case, "float16"))
    monkeypatch.setitem(MEASURED, backend.name(), {})
    assert "ATTENTION_INPUT" in kinds(define({}, case, "float16"))


@pytest.mark.parametrize("forms", [{"gelu": "fast"}, {"softmax": "layer"}])
def test_an_unknown_form_is_an_error_that_lists_the_known_ones(forms: dict[str, str]) -> None:
    with pytest.raises(ModelError, match=r"there is no form .*gelu: layer or float32"):
        define(forms, CASES["gelu"][0], "float16")


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
    case = CASES["row"][0]
    for least, most, layer in ((30, 6, "REDUCE"), (31, 6, "MATRIX_MULTIPLY"), (30, 5, "MATRIX_MULTIPLY")):
        measured = {"row": Fastest("reduction", ("float16",), {"weights": least}, {"in_features": most})}
        monkeypatch.setitem(MEASURED, backend.name(), measured)
        assert layer in kinds(define({}, case, "float16"))
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
    with pytest.raises(ModelError, match=r"no module 'third\.\*' has an operation of the kind 'thin'; .* of stem"):
        trtnet.define(Stems(), x, weights, forms=forms)
    network = trtnet.define(Stems(), x, weights, forms=forms | {"thin": {"second": "padded"}})
    assert network.describe().forms == {"first": {"stem": "convolution"}, "second": {"thin": "padded"}}


def test_a_kind_that_the_network_has_not_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    define({"gelu": "layer"}, CASES["attention"][0], "float16")
    assert "no operation of the kind 'gelu'; there are choices of attention" in caplog.text
