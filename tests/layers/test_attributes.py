"""What layers of built networks say of themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.comparing import network_of, random_weights

import trtnet
from trtnet import ops
from trtnet.graph.layers.attributes import WeightsAttribute, attributes
from trtnet.graph.layers.read import Node, read
from trtnet.models import lenet


def only(network: trtnet.DefinedNetwork, kind: str) -> Node:
    return next(node for node in read(network.trt) if node.kind == kind)


def of(function: Any, kind: str, *shape: int) -> dict[str, Any]:
    return attributes(only(network_of(function, {"x": trtnet.Input(shape)}), kind))


def test_a_convolution() -> None:
    network = trtnet.define(lenet(), weights=random_weights(lenet()))
    found = attributes(only(network, "CONVOLUTION"))
    assert found["kernel_size_nd"] == (5, 5) and found["stride_nd"] == (1, 1) and found["num_groups"] == 1
    assert found["pre_padding"] == found["post_padding"] == (2, 2)
    assert str(found["kernel"]) == "150 float32" and found["kernel"].array.shape == (150,)
    assert found["bias"] == WeightsAttribute("float32", 6)
    assert list(found) == sorted(found)


def test_what_is_not_set_is_left_out() -> None:
    kernel = np.ones((4, 3, 3, 3), np.float32)
    assert "bias" not in of(lambda x: ops.conv2d(x, kernel), "CONVOLUTION", 1, 3, 8, 8)


def test_bits_are_axes_and_permutations_have_the_rank() -> None:
    assert of(lambda x: x.mean((1, 3)), "REDUCE", 2, 3, 4, 5)["axes"] == (1, 3)
    assert of(lambda x: x.permute(0, 2, 1), "SHUFFLE", 2, 3, 4)["first_transpose"] == (0, 2, 1)


def test_names_are_words() -> None:
    assert of(lambda x: ops.gelu(x), "ACTIVATION", 2, 3)["type"] == "GELU_ERF"
    assert of(lambda x: x.half(), "CAST", 2, 3)["to_type"] == "float16"


def test_attention_says_what_stands_behind_its_layers() -> None:
    found = of(lambda x: ops.scaled_dot_product_attention(x, x, x, is_causal=True), "ATTENTION_INPUT", 1, 2, 4, 8)
    assert found["norm_op"] == "SOFTMAX" and isinstance(found["decomposable"], bool)


def test_nothing_is_said_to_the_error_recorder() -> None:
    network = trtnet.define(lenet(), weights=random_weights(lenet()))
    for node in read(network.trt):
        attributes(node)
    assert network.recorder.take() == []


def test_what_comes_as_a_tensor_is_not_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    network = network_of(lambda x: ops.arange(x.shape[0]), {"x": trtnet.Input(("batch", 3))})
    found = attributes(only(network, "FILL"))
    assert "shape" not in found and found["operation"] == "LINSPACE" and caplog.text == ""
