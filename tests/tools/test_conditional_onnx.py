"""ONNX files whose branches take different sizes (8 and 16 kHz, say): the one not taken need not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from trtnet.support.errors import InputError
from trtnet.tools.draw.reading import read
from trtnet.tools.inspect.network import summarize
from trtnet.tools.inspect.table import render
from trtnet.tools.targets.networks import Choices, open_network


def branch(name: str, width: int) -> onnx.GraphProto:
    kernel = numpy_helper.from_array(np.ones((4, 1, width), np.float32), f"{name}_kernel")
    nodes = [
        helper.make_node("Conv", ["x", f"{name}_kernel"], [f"{name}_conv"]),
        helper.make_node("ReduceMean", [f"{name}_conv"], [f"{name}_mean"], axes=[2], keepdims=0),
    ]
    output = helper.make_tensor_value_info(f"{name}_mean", TensorProto.FLOAT, None)
    return helper.make_graph(nodes, name, [], [output], [kernel])


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    node = helper.make_node("If", ["wide"], ["y"], then_branch=branch("then", 512), else_branch=branch("else", 256))
    graph = helper.make_graph(
        [node],
        "rates",
        [
            helper.make_tensor_value_info("wide", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, "samples"]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    path = tmp_path_factory.mktemp("onnx") / "rates.onnx"
    onnx.save(model, path)
    return str(path)


@pytest.mark.parametrize("samples", [256, 600, 1])
def test_it_is_inspected_and_drawn_at_any_size(file: str, samples: int) -> None:
    target = open_network(file, Choices(dims=["n=2", f"samples={samples}"]))
    summary = summarize(target)
    assert summary.work.unknown and render(summary, 2) is not None
    assert summary.sizes == {"n": 2, "samples": samples}


def test_it_is_drawn(file: str) -> None:
    drawing = read(file, Choices())
    assert sum(layer.kind == "CONVOLUTION" for layer in drawing.layers) == 2


def test_sizes_that_nobody_gave_and_that_do_not_fit(tmp_path: Path) -> None:
    kernel = numpy_helper.from_array(np.ones((4, 1, 5), np.float32), "kernel")
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "kernel"], ["y"])],
        "conv",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, "samples"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [kernel],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, tmp_path / "conv.onnx")
    target = open_network(str(tmp_path / "conv.onnx"), Choices(dims=["n=2"]))
    with pytest.raises(InputError, match=r"tried with --dim n=2 --dim samples=1. Give --dim samples=SIZE"):
        summarize(target)
