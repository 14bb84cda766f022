"""Attention whose two products are in 8 bits, by patterns of module paths."""

from __future__ import annotations

import re
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
from helpers.comparing import relative_l2

import trtnet
from trtnet import nn, ops
from trtnet.builder import BuildConfig
from trtnet.definition.quantization import AttentionScheme
from trtnet.support.errors import BuildError, ModelError

RNG = np.random.default_rng(5)
LARGEST = {"int8": 127, "float8_e4m3fn": 448}
Array = np.ndarray[Any, Any]


class Attention(nn.Module):
    def forward(self, q: trtnet.Tensor, k: trtnet.Tensor, v: trtnet.Tensor, mask: trtnet.Tensor) -> trtnet.Tensor:
        return ops.scaled_dot_product_attention(q, k, v, mask)


class Two(nn.Module):
    """Two attentions, of which the second one's values are the first one's results."""

    def __init__(self) -> None:
        self.first, self.second = Attention(), Attention()

    def forward(self, q: trtnet.Tensor, k: trtnet.Tensor, v: trtnet.Tensor, mask: trtnet.Tensor) -> trtnet.Tensor:
        return self.second(q, q, self.first(q, k, v, mask), mask)


def inputs(dtype: str = "float32") -> dict[str, trtnet.Input]:
    shapes = {"q": ("n", 4, "s", 16), "k": ("n", 2, "s", 16), "v": ("n", 2, "s", 16)}
    return {name: trtnet.Input(shape, dtype) for name, shape in shapes.items()} | {
        "mask": trtnet.Input(("n", 1, "s", "s"), "bool")
    }


def operands(dtype: str = "float32") -> dict[str, Array]:
    sizes = {"q": (2, 4, 9, 16), "k": (2, 2, 9, 16), "v": (2, 2, 9, 16)}
    arrays = {name: RNG.standard_normal(size).astype(dtype) for name, size in sizes.items()}
    return arrays | {"mask": np.broadcast_to(np.tri(9, dtype=bool), (2, 1, 9, 9))}


def rounded(x: Array, scale: float, dtype: str) -> Array:
    ratio = np.clip(x / np.float32(scale), -LARGEST[dtype], LARGEST[dtype])
    values = np.rint(ratio) if dtype == "int8" else ratio.astype(ml_dtypes.float8_e4m3fn).astype(np.float32)
    return (values * np.float32(scale)).astype(np.float32)


def by_formula(x: dict[str, Array], scheme: AttentionScheme) -> Array:
    q, k, v = (x[name].astype(np.float32) for name in "qkv")
    k, v = (np.repeat(each, 2, axis=1) for each in (k, v))
    assert scheme.query_scale and scheme.key_scale and scheme.value_scale
    q = rounded(q / np.float32(4), scheme.query_scale, scheme.dtype)
    scores = q @ rounded(k, scheme.key_scale, scheme.dtype).swapaxes(-1, -2)
    scores = np.where(x["mask"], scores, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights = rounded(weights / weights.sum(-1, keepdims=True), scheme.probability_scale or 1 / LARGEST[scheme.dtype],
                      scheme.dtype)  # fmt: skip
    result: Array = weights @ rounded(v, scheme.value_scale, scheme.dtype)
    return result


def scheme(dtype: str, probability: float | None = None) -> AttentionScheme:
    largest = LARGEST[dtype]
    return AttentionScheme(dtype, 1 / largest, 4 / largest, 3 / largest, probability and probability / largest)


@pytest.mark.parametrize("dtype", ["int8", "float8_e4m3fn"])
@pytest.mark.parametrize("probability", [None, 0.5])
def test_both_products_are_those_of_the_rounded_operands(dtype: str, probability: float | None) -> None:
    x, said = operands(), scheme(dtype, probability)
    network = trtnet.define(Attention(), inputs(), quantization={"": said})
    assert network.describe().quantization == {"": f"attention in {dtype}"}
    assert [layer.type.name for layer in network.trt].count("QUANTIZE") == 4
    assert relative_l2(network.reference()(**x), by_formula(x, said)) < 2e-3  # a value at the middle of two may differ
    floats = trtnet.define(Attention(), inputs()).reference()(**x)
    assert 5e-3 < relative_l2(network.reference()(**x), floats) < (0.4 if probability else 0.08)


def test_float8_in_16_bits_is_one_layer_and_computes_the_same() -> None:
    x, said = operands("float16"), AttentionScheme("float8_e4m3fn", 2**-9, 2**-7, 2**-7, 2**-9)
    made = {
        form: trtnet.define(Attention(), inputs("float16"), dtype="float16", quantization={"": said}, forms=chosen)
        for form, chosen in (("fused", {}), ("products", {"attention": "products"}))
    }
    kinds = {form: {layer.type.name for layer in network.trt} for form, network in made.items()}
    assert "ATTENTION_INPUT" in kinds["fused"] and "MATRIX_MULTIPLY" not in kinds["fused"]
    assert "MATRIX_MULTIPLY" in kinds["products"] and "ATTENTION_INPUT" not in kinds["products"]
    for network in made.values():
        assert relative_l2(network.reference()(**x), by_formula(x, said)) < 5e-3
    int8 = trtnet.define(Attention(), inputs("float16"), dtype="float16", quantization={"": scheme("int8")})
    assert "ATTENTION_INPUT" not in {layer.type.name for layer in int8.trt}


@pytest.mark.parametrize("dtype", ["int8", "float8_e4m3fn"])
@pytest.mark.parametrize("floats", ["float16", "float32"])
def test_it_is_built_ahead_of_time(dtype: str, floats: str) -> None:
    network = trtnet.define(Attention(), inputs(floats), dtype=floats, quantization={"": scheme(dtype)})
    dims = {"n": (1, 2, 4), "s": (1, 32, 64)}
    assert len(network.build(dims, BuildConfig(compute_capabilities=("8.9",), tf32=True)).plan.data) > 1000
    if dtype != "int8":
        with pytest.raises(BuildError, match=r"float8_e4m3fn, which GPUs since Ada have"):
            network.build(dims, BuildConfig(compute_capabilities=("8.0",)))


def test_patterns_choose_modules() -> None:
    x, said = operands(), scheme("int8")
    network = trtnet.define(Two(), inputs(), quantization={"first": "none", "*": said})
    assert network.describe().quantization == {"second": "attention in int8"}
    assert network.quantized.dtypes_in("second") == {"int8"} and network.quantized.dtypes_in("first") == set()
    both = trtnet.define(Two(), inputs(), quantization={"*": said})
    assert list(both.describe().quantization) == ["first", "second"]
    assert relative_l2(both.reference()(**x), network.reference()(**x)) > 1e-3


def test_a_torch_module_and_its_weights_are_quantized_side_by_side() -> None:
    class Block(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attn = torch.nn.MultiheadAttention(32, 2, batch_first=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.attn(x, x, x, need_weights=False)[0]

    torch.manual_seed(0)
    block, x = Block().eval(), RNG.standard_normal((2, 10, 32)).astype(np.float32)
    table: dict[str, Any] = {"attn": ["int8_weights", {"scheme": "int8_attention", "query_scale": 0.02,
                                                       "key_scale": 0.03, "value_scale": 0.03}]}  # fmt: skip
    network = trtnet.define(block, {"x": trtnet.Input((2, 10, 32))}, quantization=table)
    assert network.describe().quantization == {
        "attn.in_proj_weight": "int8, a scale a channel",
        "attn": "attention in int8",
    }
    wanted = block(torch.from_numpy(x)).detach().numpy()
    assert 1e-3 < relative_l2(network.reference()(x), wanted) < 0.05


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"first": "int8_attention"}, "first quantizes its attention to int8, and there is no query_scale"),
        ({"frist": "int8_attention"}, "'frist' matches no module that calls scaled_dot_product_attention"),
        ({"frist": "none", "*": scheme("int8")}, "'frist' matches no module with a weight of its own; the nearest"),
        ({"first": {"scheme": "int8_attention", "key_scale": 0}}, "key_scale is above 0, found 0"),
        ({"first": {"scheme": "int8_attention", "key_scale": "1"}}, "key_scale is above 0, found '1'"),
        ({"first": {"scheme": "int8_attention", "block": 3}}, "a scheme has scheme, dtype, query_scale, key_scale"),
        ({"first": {"scheme": "int8_attention", "dtype": "int4"}}, "dtype is one of int8, float8_e4m3fn"),
    ],
)  # fmt: skip
def test_what_is_no_quantization_of_attention_is_rejected(said: Any, words: str) -> None:
    with pytest.raises(ModelError, match=re.escape(words)):
        trtnet.define(Two(), inputs(), quantization=said)
