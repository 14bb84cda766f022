"""Scales of operands that a compressed-tensors checkpoint has beside its weights, and what is wrong with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trtnet.checkpoint import open_checkpoint
from trtnet.checkpoint.quantized.quantization import Quantization, quantization_of
from trtnet.support.errors import CheckpointError

INPUTS = {"num_bits": 8, "type": "int", "symmetric": True, "strategy": "tensor", "dynamic": False}
WEIGHTS = {"num_bits": 8, "type": "int", "symmetric": True, "strategy": "tensor"}
TENSORS = {
    "conv.weight": np.ones((4, 4, 1, 1), np.int8), "conv.weight_scale": np.ones(1, np.float32),
    "conv.input_scale": np.ones(1, np.float32), "norm.weight": np.ones(4, np.float32),
    "add.input_scale": np.array([0.25], np.float32), "norm.input_scale": np.array([0.5], np.float32),
}  # fmt: skip


def read(tensors: dict[str, Any] = TENSORS, **activations: Any) -> Quantization:
    groups = {
        "group_0": {"targets": ["conv"], "weights": WEIGHTS, "input_activations": INPUTS},
        "group_1": {"targets": ["add", "norm", "absent"], "weights": None, "input_activations": INPUTS | activations},
    }
    config = {"quant_method": "compressed-tensors", "format": "int-quantized", "config_groups": groups}
    found = quantization_of(open_checkpoint(tensors), config)
    assert found is not None
    return found


def test_groups_without_weights_say_the_operands_of_operations() -> None:
    found = read()
    assert {name: (str(one.dtype), one.scale) for name, one in found.activations().items()} == {
        "add": ("int8", 0.25), "norm": ("int8", 0.5),
    }  # fmt: skip
    assert {*found.dequantized()} == {"conv.weight", "norm.weight"}
    floats = read(type="float").activations()
    assert {str(one.dtype) for one in floats.values()} == {"float8_e4m3fn"}


def test_scales_that_are_measured_are_none_of_the_file() -> None:
    assert read(dynamic=True).activations() == {}


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf])
def test_a_scale_is_above_0(scale: float) -> None:
    with pytest.raises(CheckpointError, match="add: input_scale is a number above 0"):
        read(TENSORS | {"add.input_scale": np.array([scale], np.float32)})


@pytest.mark.parametrize(
    ("said", "words"),
    [({"num_bits": 4}, "add are in int4; trtnet reads"), ({"symmetric": False}, "add are in int8, with zero points")],
)
def test_other_dtypes_and_zero_points_are_refused(said: dict[str, Any], words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        read(**said)


def test_a_scale_of_several_numbers_is_refused() -> None:
    with pytest.raises(CheckpointError, match=r"input_scale is one number, found \[2\]"):
        read(TENSORS | {"norm.input_scale": np.ones(2, np.float32)})
