"""Tensor's methods are torch's; sizes that are ints cost no layers; every dtype goes in and out."""

from __future__ import annotations

import inspect
from collections import Counter
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
from helpers.comparing import network_of, random_tensor, random_weights

import trtnet
from trtnet import nn, ops
from trtnet.graph import Tensor
from trtnet.support.errors import LayerError

METHODS: dict[str, tuple[Any, ...]] = {
    "cumsum": (1,), "std": (1,), "logsumexp": (1,), "norm": (2, 1), "flip": (1,), "roll": (1, 1), "tril": (),
    "triu": (1,), "isnan": (), "expm1": (), "trunc": (), "square": (), "neg": (), "sign": (), "repeat": (2, 1, 1),
    "repeat_interleave": (2, 1), "log_softmax": (1,), "sin": (), "fmod": (0.7,), "round": (), "any": (1,),
    "contiguous": (), "detach": (), "clone": (), "eq": (0.0,), "ne": (0.0,), "lt": (0.5,), "le": (0.5,), "gt": (0.5,),
    "ge": (0.5,), "add": (2,), "sub": (2,), "mul": (3,), "div": (4,), "logical_not": (), "remainder": (0.7,),
    "floor_divide": (0.7,), "min": (), "asinh": (), "nan_to_num": (),
}  # fmt: skip


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_torchs(name: str) -> None:
    call = lambda x: getattr(x, name)(*METHODS[name])  # noqa: E731
    x = random_tensor(2, 3, 4)
    found, wanted = network_of(call, {"x": trtnet.Input(("n", 3, 4))}).reference()(x), call(x)
    assert found.dtype == wanted.dtype and torch.allclose(found.double(), wanted.double(), atol=1e-5)


def test_methods_that_take_the_dtype_of_another() -> None:
    def call(x: Any) -> Any:
        assert x.dim() == 2
        return {"type_as": x.type_as(x > 0), "to": (x > 0).to(x)}

    x = torch.tensor([[0.0, 1.5, -2.0]])
    found, wanted = network_of(call, {"x": trtnet.Input(("n", 3))}).reference()(x), call(x)
    assert all(found[key].dtype == wanted[key].dtype and torch.equal(found[key], wanted[key]) for key in wanted)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_infinities_become_the_limits_of_their_dtype(dtype: str) -> None:
    x = torch.tensor([float("nan"), float("inf"), float("-inf"), 1.5], dtype=getattr(torch, dtype))
    network = network_of(ops.nan_to_num, {"x": trtnet.Input((4,))}, dtype)
    assert torch.equal(network.reference()(x), x.nan_to_num())


def test_dropout_passes_on() -> None:
    x = random_tensor(2, 3)
    network = network_of(lambda x: ops.dropout(x, 0.5, training=False), {"x": trtnet.Input((2, 3))})
    assert torch.equal(network.reference()(x), x)


def test_every_method_that_forwards_names_an_operation() -> None:
    methods = inspect.getmembers(Tensor, inspect.isfunction)
    names = [name for name, method in methods if method.__qualname__.startswith("_method.")]
    assert len(names) > 100 and [name for name in names if not inspect.isfunction(getattr(ops, name, None))] == []


class Block(nn.Module):
    """A pre-norm transformer block."""

    def __init__(self, width: int, heads: int) -> None:
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Any) -> Any:
        y = self.norm1(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


def kinds(shape: tuple[int | str, ...]) -> Counter[str]:
    block = Block(16, 2)
    network = trtnet.define(block, {"x": trtnet.Input(shape)}, random_weights(block))
    return Counter(network.trt.get_layer(i).type.name for i in range(network.trt.num_layers))


def test_sizes_that_are_known_create_no_layers() -> None:
    static, batch, both = kinds((2, 5, 16)), kinds(("n", 5, 16)), kinds(("n", "s", 16))
    assert static["SHAPE"] == 0 and static["GATHER"] == 0
    assert static == batch, "one unknown size is a -1 in a reshape, not a layer"
    assert static == both, "and so are two that stay where they are"
    assert sum(static.values()) <= 36


VALUES = {
    "float32": np.float32, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "int32": np.int32,
    "int64": np.int64, "int8": np.int8, "uint8": np.uint8, "bool": np.bool_, "float8_e4m3fn": ml_dtypes.float8_e4m3fn,
}  # fmt: skip


@pytest.mark.parametrize("dtype", VALUES)
def test_every_dtype_goes_in_and_is_cast_to_floats(dtype: str) -> None:

    def widened(x: Any) -> Any:
        if dtype == "float8_e4m3fn":  # TensorRT casts no float8: it dequantizes it
            return ops.dequantize(x, np.float32(1)) * 2
        return ops.cast(x, "float32") * 2

    network = network_of(widened, {"x": trtnet.Input(("n", 3), dtype)}, "float32")
    x = np.array([[0, 1, 2], [3, 4, 7]]).astype(VALUES[dtype])
    given = x if np.dtype(VALUES[dtype]) in (np.dtype(network.inputs["x"].dtype.numpy),) else x.astype(np.float32)
    np.testing.assert_array_equal(network.reference()(given), x.astype(np.float32) * 2)
    network.build({"n": (1, 2, 4)})


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int32", "int64", "bool"])
def test_casts_to_every_dtype_come_out(dtype: str) -> None:
    network = network_of(lambda x: ops.cast(x, dtype), {"x": trtnet.Input(("n", 3))})
    x = np.array([[-1.5, 0, 2.75]], np.float32)
    found = network.reference()(x)
    assert found.dtype == np.dtype(VALUES[dtype])
    np.testing.assert_array_equal(found, torch.from_numpy(x).to(getattr(torch, dtype)).float().numpy())
    network.build({"n": (1, 2, 4)})


def test_bfloat16_is_never_float16() -> None:
    """1e30 and 1e-30 are bfloat16 values that float16 has not."""
    table = np.array([1e30, 1e-30, 3.0]).astype(ml_dtypes.bfloat16)
    network = network_of(lambda x: x * table, {"x": trtnet.Input(("n", 3))}, "bfloat16")
    found = network.reference()(np.ones((1, 3), ml_dtypes.bfloat16))
    np.testing.assert_array_equal(found[0], table)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda x, y: x @ y.half().mT, "matmul of float32 and float16"),
        (lambda x, y: x + ops.cast(y, "float8_e4m3fn"), "float32 and float8_e4m3fn have no common dtype"),
    ],
)
def test_dtypes_that_torch_would_refuse_together(call: Any, text: str) -> None:
    with pytest.raises(LayerError, match=text):
        network_of(call, {"x": trtnet.Input((2, 3)), "y": trtnet.Input((2, 3))})


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_weights_of_four_bits_in_blocks(dtype: str) -> None:
    """Each block of 4 rows of a column has a scale of its own."""
    rng = np.random.default_rng(0)
    packed = rng.integers(-8, 8, (16, 6)).astype(ml_dtypes.int4)
    scales = rng.uniform(0.1, 0.3, (4, 6)).astype(VALUES[dtype])
    network = network_of(lambda x: x @ ops.dequantize(packed, scales), {"x": trtnet.Input(("n", 16))}, dtype)
    x = random_tensor(3, 16, dtype=dtype)
    weight = torch.from_numpy(packed.astype(np.float32) * np.repeat(scales.astype(np.float32), 4, 0))
    wanted = x.float() @ weight
    found = network.reference()(x)
    assert float((found.float() - wanted).norm() / wanted.norm()) <= (1e-6 if dtype == "float32" else 2e-3)
    network.build({"n": (1, 2, 4)})
