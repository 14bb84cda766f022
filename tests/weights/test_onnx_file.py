"""Weights of ONNX files are those that the package onnx reads, and damaged files are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from trtnet.support.errors import CheckpointError
from trtnet.weights.onnx_file import read_onnx


def written(path: Path, tensors: list[Any], **metadata: str) -> Path:
    node = helper.make_node("Relu", ["x"], ["y"], name="relu")
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3]) for name in "xy"]
    model = helper.make_model(helper.make_graph([node], "graph", ends[:1], ends[1:], tensors))
    helper.set_model_props(model, metadata)
    path.write_bytes(model.SerializeToString())
    return path


ARRAYS = {
    f"{dtype} {list(shape)}": np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    for dtype in ("float32", "float16", "float64", "int32", "int64")
    for shape in ((), (0,), (3,), (2, 300), (2, 1, 3, 2))
}


def test_arrays_and_metadata(tmp_path: Path) -> None:
    tensors = [numpy_helper.from_array(array, name) for name, array in ARRAYS.items()]
    tensors.append(helper.make_tensor("as numbers", TensorProto.FLOAT, [2, 2], [1.5, -2.0, 3.0, 0.25]))
    found, metadata = read_onnx(written(tmp_path / "a.onnx", tensors, words="a\nß\n語", empty=""))
    assert [*found] == [*ARRAYS, "as numbers"]
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array, strict=True)
    assert found["as numbers"].tolist() == [[1.5, -2.0], [3.0, 0.25]]
    assert metadata == {"words": "a\nß\n語", "empty": ""}


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    whole = written(tmp_path / "a.onnx", [numpy_helper.from_array(np.ones(500, np.float32), "w")]).read_bytes()
    path = tmp_path / "b.onnx"
    for end in (*range(0, 60, 7), len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(CheckpointError, match=r"b.onnx (is not a readable ONNX file|has no weights)"):
            read_onnx(path)
    path.write_bytes(b"PK\x03\x04 not a model")
    with pytest.raises(CheckpointError, match=r"b.onnx is not a readable ONNX file"):
        read_onnx(path)


def test_weights_in_another_file_and_of_other_types_are_refused(tmp_path: Path) -> None:
    outside = numpy_helper.from_array(np.ones(4, np.float32), "far")
    outside.data_location = TensorProto.EXTERNAL
    strings = helper.make_tensor("words", TensorProto.STRING, [1], [b"a"])
    for tensor, name in ((outside, "far"), (strings, "words")):
        with pytest.raises(CheckpointError, match=f"{name} is of type {tensor.data_type}, or in another file"):
            read_onnx(written(tmp_path / "a.onnx", [tensor]))
