"""Layers that read a tensor before its norm: what vanishes, what is computed once, what is left as it is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.comparing import relative_l2
from helpers.ops.forms import define
from ops.cases.forms import FORM_CASES
from torch import nn

import trtnet
from trtnet.graph.layers.read import needed, read
from trtnet.ops.forms.normalization.rows_behind import centred
from trtnet.support.dtypes import bfloat16, float16, float32
from trtnet.verify.bisection.taps import ReferenceTaps

FORMS = {"normed_pool": "two_passes", "normed_pixels": "two_passes", "normed_rows": "behind"}


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def weighted(layer: Any, seed: int = 5) -> Any:
    """The layer with other weights than ones and zeros."""
    for index, parameter in enumerate(layer.parameters()):
        parameter.data = noise(*parameter.shape, seed=seed + index) / parameter.shape[-1] ** (
            0.5 * (parameter.ndim > 1)
        )
    return layer


class Made(nn.Module):
    """A function of a norm of one group, a layer norm, a 1x1 convolution, a linear layer and an input."""

    def __init__(self, made: Callable[[Any, Any], Any]) -> None:
        super().__init__()
        self.made = made
        self.image, self.rows = weighted(nn.GroupNorm(1, 6)), weighted(nn.LayerNorm(6))
        self.two = weighted(nn.GroupNorm(2, 6))
        self.pixel, self.linear = weighted(nn.Conv2d(6, 8, 1)), weighted(nn.Linear(6, 8))
        self.stored = nn.Parameter(noise(6, 8, seed=4))
        self.attention = weighted(nn.MultiheadAttention(6, 2, batch_first=True))

    def forward(self, x: Any) -> Any:
        return self.made(self, x)


def mixed(y: Any) -> Any:
    return F.avg_pool2d(y, 3, 1, 1, count_include_pad=False) - y


def network_of(made: Any, shape: tuple[int, ...], forms: Any = FORMS, dtype: str = "float32") -> Any:
    """Of known sizes; compared with torch."""
    model, x = Made(made).eval(), noise(*shape) + 0.5
    network = trtnet.define(model, {"x": trtnet.Input(shape)}, dtype=dtype, forms=forms)
    with torch.inference_mode():
        assert relative_l2(network.reference()(x), model(x)) <= 2e-6
    return network


def kinds(network: Any) -> list[str]:
    """Of the layers that the result needs."""
    return [node.kind for node in needed(read(network.trt), [network.trt.get_output(0)])]


BEHIND: dict[str, Any] = {
    "normed_pool": (lambda m, x: x + mixed(m.image(x)), (2, 6, 4, 5)),
    "normed_pixels": (lambda m, x: m.pixel(m.image(x)), (2, 6, 4, 5)),
    "normed_rows": (lambda m, x: m.linear(m.rows(x)), (2, 5, 6)),
}
ROWS: dict[str, Any] = {
    "in another shape": lambda m, x: m.linear(m.rows(x).view(-1, 6)).view(2, 5, 8),
    "turned and back": lambda m, x: m.linear(m.rows(x).transpose(0, 1).transpose(1, 0)),
    "of attention": lambda m, x: (lambda y: m.attention(y, y, y, need_weights=False)[0])(m.rows(x)),
}


@pytest.mark.parametrize("kind", BEHIND)
def test_the_norms_own_layers_are_needed_no_more(kind: str) -> None:
    made, shape = BEHIND[kind]
    assert "NORMALIZATION" in kinds(network_of(made, shape, {}))
    network = network_of(made, shape)
    assert "NORMALIZATION" not in kinds(network)
    assert [chosen[kind] for chosen in network.forms.chosen.values() if kind in chosen] == [FORMS[kind]]


@pytest.mark.parametrize("name", ROWS)
def test_rows_are_found_in_other_shapes_and_products(name: str) -> None:
    assert "NORMALIZATION" not in kinds(network_of(ROWS[name], (2, 5, 6)))


def test_products_with_stored_weights_ask_too() -> None:
    (case,) = (case for case in FORM_CASES["normed_rows"] if case.name == "stored")
    found = [kinds(define({"normed_rows": form}, case, "float32", [(2, 3, 6)])) for form in ("before", "behind")]
    assert ["NORMALIZATION" in each for each in found] == [True, False]


def test_a_norm_that_something_else_reads_stays() -> None:
    network = network_of(lambda m, x: (m.linear(m.rows(x)), m.rows(x))[0] + m.rows(x).sum(-1, keepdim=True), (2, 5, 6))
    assert kinds(network).count("NORMALIZATION") == 1


APART: dict[str, Any] = {
    "zeros are counted": (lambda m, x: F.avg_pool2d(m.image(x), 3, 1, 1) - m.image(x), (2, 6, 4, 5)),
    "of another norm": (
        lambda m, x: F.avg_pool2d(m.image(x), 3, 1, 1, count_include_pad=False) - m.image(x + 1),
        (2, 6, 4, 5),
    ),
    "of two groups": (lambda m, x: m.pixel(m.two(x)) + mixed(m.two(x)).mean(), (2, 6, 4, 5)),
    "of the last axis": (lambda m, x: m.pixel(m.rows(x)) + mixed(m.rows(x)).mean(), (2, 6, 4, 6)),
    "of all axes": (lambda m, x: m.linear(m.image(x)), (2, 6, 4, 6)),
    "turned": (lambda m, x: m.linear(m.rows(x).transpose(0, 1)), (2, 5, 6)),
    "of parts of rows": (lambda m, x: F.linear(m.rows(x).view(2, 10, 3), m.linear.weight.view(16, 3)), (2, 5, 6)),
    "changed in place": (lambda m, x: m.linear(m.rows(x).mul_(2)), (2, 5, 6)),
    "computed weights": (lambda m, x: m.linear(F.layer_norm(x, (6,), x[0, 0], x[1, 0])), (2, 5, 6)),
}


@pytest.mark.parametrize("name", APART)
def test_what_is_no_such_layer_is_as_it_is_written(name: str) -> None:
    made, shape = APART[name]
    asked = {"normed_pool", "normed_pixels", "normed_rows"}
    found = {kind for chosen in network_of(made, shape).forms.chosen.values() for kind in chosen}
    assert not found & asked


def test_an_image_in_place_of_the_means_is_not_confused_with_them() -> None:
    network_of(lambda m, x: (lambda y: y - F.avg_pool2d(y, 3, 1, 1, count_include_pad=False))(m.image(x)), (2, 6, 4, 5))
    network_of(lambda m, x: m.image(x) - (mixed(m.image(x)) + x), (2, 6, 4, 5))


def test_statistics_are_computed_once_for_all_that_reads_a_norm() -> None:
    def gated(m: Any, x: Any) -> Any:
        y = m.rows(x)
        return m.linear(y) * F.linear(y, m.linear.weight)

    one, two = (kinds(network_of(made, (2, 5, 6))) for made in (BEHIND["normed_rows"][0], gated))
    assert [found.count("MATRIX_MULTIPLY") for found in (one, two)] == [1, 2]
    assert one.count("UNARY") == two.count("UNARY") > 0


@pytest.mark.parametrize("mean", [0, 10, 1000])
def test_a_layer_norm_behind_a_linear_layer_is_as_exact_for_any_mean(mean: float) -> None:
    model = nn.Sequential(weighted(nn.LayerNorm(64)), weighted(nn.Linear(64, 48))).eval()
    x = (noise(30, 64) + mean).half()
    errors = []
    for form in ("before", "behind"):
        network = trtnet.define(model, {"x": trtnet.Input((30, 64))}, dtype="float16", forms={"normed_rows": form})
        with torch.inference_mode():
            errors.append(relative_l2(network.reference()(x), model(x.float())))
    assert errors[1] <= errors[0]


@pytest.mark.parametrize("columns", [1, 5, 64, 768])
@pytest.mark.parametrize(("dtype", "digits"), [(float32, 24), (float16, 11), (bfloat16, 8)], ids=str)
def test_centred_weights_sum_to_zero_in_16_bits(dtype: Any, digits: int, columns: int) -> None:
    matrix = noise(20, columns).double().numpy()
    narrow = centred(matrix, dtype.numpy).astype(np.float64)
    exact = matrix - matrix.mean(1, keepdims=True)
    rounding = np.abs(exact).max() * 2.0**-digits
    assert np.abs(narrow.sum(1)).max() <= rounding / 8
    assert np.abs(narrow - exact).max() <= 4 * rounding


@pytest.mark.parametrize("form", ["before", "behind"])
def test_a_position_that_is_normalized_alone_is_still_computed_alone(form: str) -> None:
    def token(m: Any, x: Any) -> Any:
        return m.linear(m.rows((x + F.gelu(m.linear(x)) @ m.stored.T)[:, 0]))

    network = network_of(token, (2, 5, 6), {"positions": "alone", "normed_rows": form})
    assert [chosen["positions"] for chosen in network.forms.chosen.values() if "positions" in chosen] == ["alone"]


def test_weights_that_are_not_finite_in_16_bits_are_left_apart() -> None:
    model = nn.Sequential(nn.LayerNorm(6), weighted(nn.Linear(6, 8))).eval()
    model[0].weight.data.fill_(60000.0)
    model[1].weight.data[0] = 3.0
    forms = {"normed_rows": "behind"}
    network = trtnet.define(model, {"x": trtnet.Input((5, 6))}, dtype="float16", forms=forms)
    assert "NORMALIZATION" in kinds(network)


def test_images_that_are_kept_with_their_channels_last_are_so_behind_a_norm() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norms = nn.ModuleList(weighted(nn.GroupNorm(1, 6)) for _ in range(4))
            self.wide, self.narrow = weighted(nn.Conv2d(6, 12, 1)), weighted(nn.Conv2d(12, 6, 1))

        def forward(self, x: Any) -> Any:
            for mixer, perceptron in zip(self.norms[::2], self.norms[1::2], strict=True):
                x = x + mixed(mixer(x))
                x = x + self.narrow(F.gelu(self.wide(perceptron(x))))
            return x

    def permutations(forms: Any) -> int:
        network = trtnet.define(model, {"x": trtnet.Input((2, 6, 4, 5))}, dtype="float16", forms=forms)
        with torch.inference_mode():
            assert relative_l2(network.reference()(x.half()), model(x)) <= 3e-3
        nodes = needed(read(network.trt), [network.trt.get_output(0)])
        return sum(n.kind == "SHUFFLE" and list(n.layer.first_transpose)[:4] not in ([0, 1, 2, 3],) for n in nodes)

    model, x = Block().eval(), noise(2, 6, 4, 5)
    kept = {"pixelwise": "product"}
    behind = kept | {"normed_pool": "moments", "normed_pixels": "moments"}
    assert permutations(behind) <= permutations(kept)


def test_a_pool_is_again_as_its_own_module_asks() -> None:
    class Mixer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.pool = nn.GroupNorm(1, 6), nn.AvgPool2d(3, 1, 1, count_include_pad=False)

        def forward(self, x: Any) -> Any:
            y = self.norm(x)
            return self.pool(y) - y

    forms = {"normed_pool": "two_passes", "pooling": {"pool": "slices"}}
    network = trtnet.define(Mixer().eval(), {"x": trtnet.Input((2, 6, 4, 5))}, forms=forms)
    assert "POOLING" not in kinds(network)


def test_bisection_sees_the_normalized_tensor() -> None:
    made, shape = BEHIND["normed_rows"]
    network = network_of(made, shape)
    found = ReferenceTaps(network)({"x": noise(*shape).numpy()}).values
    (name,) = (call.outputs[0].name for call in network.calls if call.path == "rows")
    with torch.inference_mode():
        expected = Made(made).eval().rows(noise(*shape))
    assert np.allclose(found[name], expected.numpy(), atol=1e-5)


def test_heads_of_one_product_are_those_of_the_normalized_tensor() -> None:
    """Which TensorRT confuses where they are as many as positions: they are made anew of what was read."""

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.qkv = weighted(nn.LayerNorm(6)), weighted(nn.Linear(6, 24))

        def forward(self, x: Any) -> Any:
            q, k, v = self.qkv(self.norm(x)).view(2, 4, 3, 4, 2).permute(2, 0, 3, 1, 4)
            return F.scaled_dot_product_attention(q, k, v)

    model, x = Attention().eval(), noise(2, 4, 6)
    network = trtnet.define(model, {"x": trtnet.Input((2, 4, 6))}, forms={"normed_rows": "behind"})
    with torch.inference_mode():
        assert relative_l2(network.reference()(x), model(x)) <= 2e-6
