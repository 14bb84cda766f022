"""For each cause of a TensorRT refusal: trtnet's error names the module, the user's line, the operands, the cause.

Some causes trtnet's operations rule out by themselves; they are shown through Network.add, which custom layers call.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import trtnet
from trtnet import nn, ops
from trtnet.builder import BuildConfig
from trtnet.ops.arguments import operands
from trtnet.support.backend import name, trt
from trtnet.support.errors import BuildError, LayerError, ModelError


class Block(nn.Module):
    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def forward(self, x: Any, y: Any) -> Any:
        return self.function(x, y)


class Model(nn.Module):
    def __init__(self, function: Callable[..., Any]) -> None:
        self.stage = nn.ModuleList([Block(function)])

    def forward(self, x: Any, y: Any) -> Any:
        return self.stage[0](x, y)


def defined(function: Callable[..., Any]) -> trtnet.DefinedNetwork:
    inputs = {"x": trtnet.Input((1, 3, 8, 8)), "y": trtnet.Input((1, 3, 8, 8))}
    return trtnet.define(Model(function), inputs, {})


def raw(method: str, **arguments: Any) -> Any:
    (network,) = {a.network for a in arguments.values() if isinstance(a, trtnet.Tensor)}
    return network.add(method, arguments)[0]


SUM = trt.ElementWiseOperation.SUM
KERNEL = np.ones((4, 3, 3, 3), np.float32)
CAUSES: dict[str, tuple[Callable[..., Any], str, str]] = {
    "wrong kernel count": (
        lambda x, y: ops.conv2d(x[:, :2], KERNEL),
        "convolution got an input with 2 channels, but its kernel has 3",
        "kernel weights has count 108 but 72 was expected",
    ),
    "kernel of another dtype": (
        lambda x, y: ops.conv2d(y.half(), KERNEL),
        "convolution got an input of float16, its kernel is float32",
        "must be of same type",
    ),
    "shapes that do not broadcast": (
        lambda x, y: x + x[:, :2],
        "add got shapes that do not broadcast, or dtypes it does not take",
        "broadcast dimensions must be conformable",
    ),
    "ranks that differ": (
        lambda x, y: raw("elementwise", input1=x, input2=x[0], op=SUM),
        "TensorRT refused elementwise",
        "mismatched inputs",
    ),
    "dtypes that differ": (
        lambda x, y: raw("elementwise", input1=x, input2=y.half(), op=SUM),
        "TensorRT refused elementwise",
        "must have same input types",
    ),
    "a reshape to another volume": (
        lambda x, y: x.reshape(1, 3, 65),
        "reshape of [1, 3, 8, 8] to [1, 3, 65]: the number of elements differs",
        "",
    ),
    "matrices that do not fit": (
        lambda x, y: x @ x[:, :, :3],
        "matmul got 8 columns on the left and 3 rows on the right",
        "must match",
    ),
    "sizes of two integer types": (
        lambda x, y: raw("elementwise", input1=ops.cast(x, "int64"), input2=ops.cast(x, "int32"), op=SUM),
        "TensorRT refused elementwise",
        "must have same input types",
    ),
    "an argument of the wrong type": (
        lambda x, y: raw("elementwise", input1=x, input2=None, op=SUM),
        "elementwise got arguments of the wrong type",
        "",
    ),
    "k beyond TensorRT's limit": (
        lambda x, y: ops.topk(x.reshape(1, -1).expand(50, -1).reshape(1, -1), 4000),
        "topk takes at most 3840 elements in TensorRT, found k=4000",
        "",
    ),
    "a float64 constant": (
        lambda x, y: raw("elementwise", input1=x, input2=np.float64(1), op=SUM),
        "elementwise got arguments of the wrong type",
        "",
    ),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_a_refused_layer(cause: str) -> None:
    function, headline, words = CAUSES[cause]
    with pytest.raises(LayerError) as caught:
        defined(function)
    text = str(caught.value)
    assert text.startswith(f"stage.0: {headline}"), text
    assert re.search(r"\n  in tests/graph/test_message_catalogue\.py:\d+   \S", text), text
    assert re.search(r"\n  \S+ +\[.*\] (float32|float16|int64)", text), text
    assert words in text and ("TensorRT:" in text) == bool(words), text


def bytes_of(x: Any) -> Any:
    return x.network.weight(np.ones((1, 3, 8, 8), np.uint8))


def test_a_constant_of_a_type_tensorrt_has_no_constants_of() -> None:
    with pytest.raises(LayerError) as caught:
        defined(lambda x, y: x + x.network.add("constant", {"shape": (1, 3, 8, 8), "weights": bytes_of(x)})[0].float())
    assert "stage.0: " in str(caught.value) and "test_message_catalogue.py" in str(caught.value)
    assert "UInt8" in str(caught.value) and "[1, 3, 8, 8] uint8" in str(caught.value)


def test_a_name_for_two_inputs() -> None:
    network = trtnet.graph.Network("float32")
    network.add_input("x", trtnet.Input((1, 2)))
    with pytest.raises(ModelError, match="the name 'x' is taken"):
        network.add_input("x", trtnet.Input((1, 2)))


@pytest.mark.skipif(name() != "tensorrt_rtx", reason="TensorRT builds for the GPU in this machine")
def test_no_kernel_on_the_target() -> None:
    network = defined(lambda x, y: ops.fake_quantize(x, np.float32(0.1), dtype="float8_e4m3fn") + y)
    with pytest.raises(BuildError, match=r"(?s)TensorRT did not build the engine.*fp8"):
        network.build(config=BuildConfig(compute_capabilities=("8.6",)))


def test_a_zero_point_other_than_zero() -> None:
    def shifted(x: Any, y: Any) -> Any:
        scale, zero = (operands.tensor(v, x.network) for v in (np.float32(0.1), np.int8(3)))
        arguments = {"input": x, "scale": scale, "output_type": trt.DataType.INT8}
        (quantized,) = x.network.add("quantize", arguments, inputs={2: zero})
        return ops.dequantize(quantized, np.float32(0.1)) + y

    with pytest.raises((BuildError, LayerError), match=r"zero_point|zero point|zeros"):
        defined(shifted).build()
