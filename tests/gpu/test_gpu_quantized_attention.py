"""Attention's products and caches in 8 bits on a real GPU, beside the reference. tests/conftest.py skips these."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from helpers.comparing import relative_l2
from helpers.definition.quantized_networks import LARGEST, Attention, CacheStep
from helpers.generating import PROMPTS, REPETITIVE, quantized

import trtnet
from trtnet import GenerationConfig
from trtnet.generation import Generator, profiles
from trtnet.support import dtypes

pytestmark = pytest.mark.gpu
TOLERANCES = {"int8": 3e-2, "fp8": 3e-2}
"""Probabilities are a few steps of 8 bits: one that is rounded the other way, as by other kernels, is a step off."""


@pytest.mark.parametrize("form", ["fused", "products"])
@pytest.mark.parametrize("kind", LARGEST)
def test_attention_in_8_bits_is_that_of_the_reference(kind: str, form: str) -> None:
    if kind == "int8" and form == "fused":
        pytest.skip("int8 has no fused form")
    largest = LARGEST[kind]
    scales = {"query_scale": 0.7 / largest, "key_scale": 4.5 / largest, "value_scale": 4.5 / largest}
    said = {"": {"scheme": f"{kind}_attention", **scales, "probability_scale": 0.3 / largest}}
    shape = ("n", 8, "s", 64)
    inputs = {name: trtnet.Input(shape, "float16") for name in "qkv"}
    forms = {"attention": form}
    network = trtnet.define(Attention(), inputs, dtype="float16", quantization=said, forms=forms)
    engine = network.build({"n": (1, 4, 4), "s": (16, 197, 256)})
    for sizes in ((1, 8, 16, 64), (4, 8, 197, 64)):
        x = {name: torch.randn(sizes, dtype=torch.float16) for name in "qkv"}
        found = engine(**{name: each.cuda() for name, each in x.items()}).cpu()
        wanted = network.reference()(**{name: each.numpy() for name, each in x.items()})
        assert relative_l2(found, wanted.astype(np.float32)) < TOLERANCES[kind]
        exact = torch.nn.functional.scaled_dot_product_attention(*(each.float() for each in x.values()))
        assert relative_l2(found.float(), exact) < 1.05 * relative_l2(torch.from_numpy(wanted).float(), exact)


@pytest.mark.parametrize("kind", LARGEST)
@pytest.mark.parametrize("length", [1, 5])
def test_caches_in_8_bits_keep_their_bits(kind: str, length: int) -> None:
    said = {"keys": {"scheme": f"{kind}_cache", "scale": 4.5 / LARGEST[kind]}}
    network = trtnet.define(CacheStep(4, 128, 64), dtype="float16", quantization=said)
    engine, reference = network.build({"batch": (1, 2, 2), "length": (1, 1, 8)}), network.reference()
    kept = next(each.dtype for each in reference.inputs if each.name == "keys")
    keys: Any = np.zeros((2, 4, 128, 64), dtypes.get(kept).numpy)
    for step in range(3):
        query, update = (
            np.random.default_rng(step).standard_normal((2, 4, length, 64)).astype(np.float16) for _ in "qu"
        )
        call = {"query": query, "update": update, "held": np.array([step * length, 40 + step * length], np.int32)}
        found, wanted = engine(**call, keys=keys), reference(**call, keys=keys)
        assert (found["new_keys"].view(np.uint8) == wanted["new_keys"].view(np.uint8)).mean() > 0.999
        assert relative_l2(found["scores"].astype(np.float32), wanted["scores"].astype(np.float32)) < 1e-2
        keys = wanted["new_keys"]


@pytest.mark.parametrize("kind", LARGEST)
@pytest.mark.parametrize("device", ["cuda", None], ids=["two buffers", "numpy"])
def test_an_engine_with_caches_in_8_bits_gives_the_tokens_of_the_reference(kind: str, device: str | None) -> None:
    scheme: Any = {"scheme": f"{kind}_cache", "scale": 4 / LARGEST[kind]}
    network = quantized({"key_*": scheme, "value_*": scheme}, scale=REPETITIVE, width=128)
    made = Generator(network.build(profiles(batch=4, chunk=8)), device=device, chunk=8)
    config = GenerationConfig(20)
    wanted = [each.tokens for each in Generator(network.reference(), chunk=8)(PROMPTS, config)]
    found = [each.tokens for each in made(PROMPTS, config)]
    same = [a == b for one, other in zip(found, wanted, strict=True) for a, b in zip(one, other, strict=True)]
    assert np.mean(same) > 0.9  # values between two codes may be rounded to the other one
