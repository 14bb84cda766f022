"""Caches of keys and values in 8 bits: what a network takes and gives, and what the model computes with."""

from __future__ import annotations

import re
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from helpers.comparing import relative_l2
from helpers.definition.quantized_networks import CacheStep

import trtnet
from trtnet import ops
from trtnet.builder import BuildConfig
from trtnet.definition.again import unquantized
from trtnet.support.errors import BuildError, ModelError

RNG = np.random.default_rng(4)
Array = np.ndarray[Any, Any]
SCALES = (0.02, 0.03)


class Decoder(CacheStep):
    """Of two heads, over twelve tokens."""

    def __init__(self) -> None:
        super().__init__(2, 12, 8)


class Sliding(Decoder):
    """The same over a cache of the last twelve, which is joined and not written at positions."""

    def forward(
        self, query: trtnet.Tensor, update: trtnet.Tensor, held: trtnet.Tensor, keys: trtnet.Tensor
    ) -> dict[str, trtnet.Tensor]:
        keys = ops.cat([keys[:, :, 1:], update[:, :, :1]], 2)
        return {"scores": query @ keys.mT + held.float().reshape(-1, 1, 1, 1), "new_keys": keys}


def narrow(x: Array, scale: Any, dtype: str) -> Array:
    ratio = x / np.asarray(scale, np.float32).reshape(-1, 1, 1)
    if dtype == "int8":
        return np.clip(np.rint(ratio), -128, 127).astype(np.int8)
    return np.clip(ratio, -448, 448).astype(ml_dtypes.float8_e4m3fn)


def wide(x: Array, scale: Any) -> Array:
    return x.astype(np.float32) * np.asarray(scale, np.float32).reshape(-1, 1, 1)


def call(dtype: str, length: int, floats: str = "float32") -> dict[str, Array]:
    query, update = (RNG.standard_normal((2, 2, length, 8)).astype(floats) for _ in range(2))
    keys = narrow(RNG.standard_normal((2, 2, 12, 8)), 0.02, dtype)
    return {"query": query, "update": update, "held": np.array([3, 7], np.int32), "keys": keys}


@pytest.mark.parametrize("dtype", ["int8", "float8_e4m3fn"])
@pytest.mark.parametrize("scale", [0.02, SCALES], ids=["tensor", "heads"])
@pytest.mark.parametrize("length", [1, 4])
def test_what_is_written_is_rounded_and_all_else_keeps_its_bits(dtype: str, scale: Any, length: int) -> None:
    said = {"keys": {"scheme": "int8_cache", "dtype": dtype, "scale": list(scale) if scale == SCALES else scale}}
    network = trtnet.define(Decoder(), quantization=said)
    shared = "a scale a head" if scale == SCALES else "one scale"
    assert network.describe().quantization == {"keys": f"cache in {dtype}, {shared}"}
    assert network.quantized.dtypes == {dtype} and unquantized(network) is None
    reference = network.reference()
    info = {each.name: each.dtype for each in (*reference.inputs, *reference.outputs)}
    assert (info["keys"], info["new_keys"], info["scores"]) == (dtype, dtype, "float32")
    given = call(dtype, length)
    wanted = given["keys"].copy()
    for row, start in enumerate(given["held"]):
        wanted[row, :, start : start + length] = narrow(given["update"], scale, dtype)[row]
    found = reference(**given)
    assert found["new_keys"].dtype == wanted.dtype
    np.testing.assert_array_equal(found["new_keys"].view(np.uint8), wanted.view(np.uint8))
    assert relative_l2(found["scores"], given["query"] @ wide(wanted, scale).swapaxes(-1, -2)) < 1e-6


@pytest.mark.parametrize("dtype", ["int8", "float8_e4m3fn"])
def test_bits_stay_in_half_precision_and_with_small_scales(dtype: str) -> None:
    said = {"keys": {"scheme": "int8_cache", "dtype": dtype, "scale": 1e-5}}
    network = trtnet.define(Decoder(), quantization=said, dtype="float16")
    given = call(dtype, 1, "float16") | {"held": np.array([0, 0], np.int32)}
    new = network.reference()(**given)["new_keys"]
    np.testing.assert_array_equal(new[:, :, 1:].view(np.uint8), given["keys"][:, :, 1:].view(np.uint8))


def test_a_cache_that_is_joined_is_rounded_where_it_leaves() -> None:
    network = trtnet.define(Sliding(), quantization={"keys": {"scheme": "fp8_cache", "scale": 0.02}})
    given = call("float8_e4m3fn", 1)
    found = network.reference()(**given)
    new = np.concatenate([given["keys"][:, :, 1:], narrow(given["update"], 0.02, "float8_e4m3fn")], 2)
    np.testing.assert_array_equal(found["new_keys"].view(np.uint8), new.view(np.uint8))


@pytest.mark.parametrize("model", [Decoder, Sliding])
@pytest.mark.parametrize("scheme", ["int8_cache", "fp8_cache"])
def test_it_is_built_ahead_of_time_and_what_it_costs_is_said(
    model: Any, scheme: str, caplog: pytest.LogCaptureFixture
) -> None:
    said = {"keys": {"scheme": scheme, "scale": 0.02}}
    network = trtnet.define(model(), quantization=said, dtype="float16")
    dims = {"batch": (1, 2, 2), "length": (1, 1, 4) if model is Decoder else 1}
    assert len(network.build(dims, BuildConfig(compute_capabilities=("8.9",))).plan.data) > 1000
    assert "1 cache is in 8 bits: TensorRT writes only caches of floats in place" in caplog.text
    if scheme == "fp8_cache":
        with pytest.raises(BuildError, match=r"1 cache is in float8_e4m3fn, which GPUs since Ada have"):
            network.build(dims, BuildConfig(compute_capabilities=("8.0",)))


class Streams(Sliding):
    def __init__(self) -> None:
        super().__init__()
        self.inputs["update"] = trtnet.Input(("batch", 2, 1, 8))
        self.inputs["keys"] = trtnet.State(("batch", 2, 12, 8), output="new_keys")


@pytest.mark.parametrize("scheme", ["int8_cache", "fp8_cache"])
def test_states_of_streams_that_take_no_part_keep_their_bits(scheme: str) -> None:
    network = trtnet.define(Streams(), quantization={"keys": {"scheme": scheme, "scale": 0.02}})
    (state,) = network.reference().states
    assert (state.input, state.output) == ("keys", "new_keys")
    given = call("int8" if scheme == "int8_cache" else "float8_e4m3fn", 1)
    found = network.reference()(**given, active=np.array([True, False]))["new_keys"].view(np.uint8)
    np.testing.assert_array_equal(found[1], given["keys"][1].view(np.uint8))
    np.testing.assert_array_equal(found[0, :, :-1], given["keys"][0, :, 1:].view(np.uint8))
    config = BuildConfig(compute_capabilities=("8.9",), tf32=True)
    assert len(network.build({"batch": (1, 2, 2), "length": 1}, config).plan.data) > 1000


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"keys": "int8_cache"}, "the cache keys is in int8, and there is no scale"),
        ({"kies": "fp8_cache"}, "'kies' matches no input of the model that may be a cache; the nearest are"),
        ({"held": "fp8_cache"}, "'held' matches no input of the model that may be a cache"),
        ({"keys": {"scheme": "fp8_cache", "scale": [1, 2, 3]}}, "the cache keys has 2 heads, and 3 scales"),
        ({"keys": {"scheme": "fp8_cache", "scale": [1, "2"]}}, "each scale of a cache is above 0, found '2'"),
        ({"keys": {"scheme": "fp8_cache", "output": 3}}, "the output of a cache is a name, found 3"),
        ({"keys": {"scheme": "fp8_cache", "scale": [1, 0]}}, "each scale of a cache is above 0"),
        ({"keys": {"scheme": "fp8_cache", "dtype": "int4"}}, "dtype is one of int8, float8_e4m3fn"),
        ({"query": "fp8_cache"}, "returns scores, new_keys, and none is new_query or output.query or query_next"),
        ({"keys": {"scheme": "fp8_cache", "output": "old"}}, "none is old, the next cache keys"),
    ],
)  # fmt: skip
def test_what_is_no_quantization_of_caches_is_rejected(said: Any, words: str) -> None:
    with pytest.raises(ModelError, match=re.escape(words)):
        trtnet.define(Decoder(), quantization=said)
