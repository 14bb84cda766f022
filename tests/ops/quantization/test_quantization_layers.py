"""Quantize and dequantize layers: one scale, one a slice, one a block, against the formula in numpy."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import trtnet
from trtnet import nn, ops
from trtnet.support.errors import LayerError

RNG = np.random.default_rng(0)
X = RNG.standard_normal((6, 64)).astype(np.float32)
BLOCKS = {"rows": (1, 32), "both axes": (2, 16), "the last one shorter": (4, 48)}


def define(forward: Any) -> trtnet.DefinedNetwork:
    class Model(nn.Module):
        def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
            return forward(x)

    return trtnet.define(Model(), {"x": trtnet.Input((6, 64))})


def scales(block: tuple[int, int]) -> Any:
    return RNG.uniform(0.01, 0.05, [-(-n // size) for n, size in zip((6, 64), block, strict=True)]).astype(np.float32)


def spread(scale: Any, block: tuple[int, int]) -> Any:
    return scale.repeat(block[0], 0).repeat(block[1], 1)[:6, :64]


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("dtype", ["int8", "float8_e4m3fn"])
def test_blocks_of_several_axes(dtype: str, name: str) -> None:
    block = BLOCKS[name]
    scale = scales(block)
    network = define(lambda x: ops.fake_quantize(x, scale, dtype=dtype, block_shape=block))
    wide = spread(scale, block)
    ratio = X / wide
    if dtype == "int8":
        wanted = np.clip(np.rint(ratio), -128, 127) * wide
    else:
        wanted = np.clip(ratio, -448, 448).astype(ml_dtypes.float8_e4m3fn).astype(np.float32) * wide
    np.testing.assert_allclose(network.reference()(X), wanted, rtol=1e-6)
    assert len(network.build().plan.data) > 1000


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_weights_of_four_bits_in_blocks(axis: int) -> None:
    values = RNG.integers(-8, 8, (6, 64)).astype(ml_dtypes.int4)
    along = axis % 2
    block = (3, 1) if along == 0 else (1, 32)
    scale = scales(block)
    network = define(lambda x: x + ops.dequantize(values, scale, axis))
    wanted = X + values.astype(np.float32) * spread(scale, block)
    np.testing.assert_allclose(network.reference()(X), wanted, rtol=1e-6)


def test_scales_that_are_powers_of_two_and_scales_of_scales() -> None:
    values = RNG.integers(0, 16, (6, 64), dtype=np.uint8).view(ml_dtypes.float4_e2m1fn)
    powers = np.exp2(RNG.integers(-4, 4, (6, 2))).astype(ml_dtypes.float8_e8m0fnu)
    network = define(lambda x: x + ops.dequantize(values, powers, 1))
    wanted = X + values.astype(np.float32) * powers.astype(np.float32).repeat(32, 1)
    np.testing.assert_allclose(network.reference()(X), wanted, rtol=1e-6)
    inner = RNG.uniform(1, 100, (6, 4)).astype(ml_dtypes.float8_e4m3fn)
    both = define(lambda x: x + ops.dequantize(values, ops.dequantize(inner, np.float32(0.001)), 1))
    wanted = X + values.astype(np.float32) * (inner.astype(np.float32) * np.float32(0.001)).repeat(16, 1)
    np.testing.assert_allclose(both.reference()(X), wanted, rtol=1e-6)


def test_blocks_of_another_rank_are_refused() -> None:
    with pytest.raises(LayerError, match=r"block_shape has a size for each axis, found \(1, 32, 1\)"):
        define(lambda x: ops.fake_quantize(x, scales((1, 32)), block_shape=(1, 32, 1)))
    with pytest.raises(LayerError, match=r"blocks \(1, 32\) do not have this many scales"):
        define(lambda x: ops.fake_quantize(x, scales((1, 16)), block_shape=(1, 32)))
