"""The ONNX project's own node tests, through NVIDIA's parser into a TensorRT network, and through the reference.

What the networks say is not ours, nor are the expected outputs: only the executor is.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import torch

from trtnet.errors import ReferenceError
from trtnet.reference import Reference
from trtnet.reference.onnx import parse
from trtnet.reference.step import to_torch

onnx = pytest.importorskip("onnx")

FAMILIES = (
    "add",
    "and",
    "argmax",
    "averagepool",
    "basic_conv",
    "batchnorm",
    "ceil",
    "clip",
    "concat",
    "constant_pad",
    "conv_",
    "convtranspose",
    "cumsum",
    "depthtospace",
    "div",
    "dropout",
    "einsum",
    "elu",
    "equal",
    "exp",
    "expand_dim",
    "flatten",
    "gather",
    "gelu",
    "gemm",
    "globalaveragepool",
    "greater",
    "gridsample",
    "group_normalization",
    "hardsigmoid",
    "instancenorm",
    "layer_normalization",
    "leakyrelu",
    "less",
    "log",
    "lrn",
    "matmul",
    "max",
    "maxpool",
    "mean",
    "min",
    "mod",
    "mul",
    "neg",
    "not",
    "or",
    "pow",
    "prelu",
    "reduce",
    "reflect_pad",
    "relu",
    "reshape",
    "resize",
    "reversesequence",
    "scatter",
    "selu",
    "sigmoid",
    "sign",
    "sin",
    "slice",
    "softmax",
    "softplus",
    "softsign",
    "split",
    "sqrt",
    "sub",
    "tanh",
    "tile",
    "top_k",
    "transpose",
    "tril",
    "triu",
    "where",
    "xor",
)
# Cases whose published output is not what TensorRT's layers compute, with the reason.
DIFFERENT = {
    "test_averagepool_2d_ceil_last_window_starts_on_pad": "TensorRT keeps a last window that lies in the padding alone",
    "test_maxpool_2d_ceil_output_size_reduce_by_one": "TensorRT keeps a last window that lies outside of the input",
}
# The parser takes a missing attribute `upper` for 0, where ONNX takes it for 1: NVIDIA's network is another one.
PARSED_OTHERWISE = ("test_triu",)


@lru_cache
def cases() -> dict[str, Any]:
    from onnx.backend.test.case.node import collect_testcases

    with np.errstate(all="ignore"):
        found = {case.name: case for case in collect_testcases(None) if case.model is not None}
    return {name: case for name, case in found.items() if name.removeprefix("test_").startswith(tuple(FAMILIES))}


def plain(values: Any) -> bool:
    """Whether every value is an array of a type numpy has."""
    return all(isinstance(v, np.ndarray | np.generic) and np.asarray(v).dtype.kind in "fiub" for v in values)


def agrees(case: Any, reference: Reference) -> str:
    """ "" if every output is the published one, else what differs."""
    graph = case.model.graph
    for given, expected in case.data_sets:
        feeds = {i.name: to_torch(np.asarray(v)) for i, v in zip(graph.input, given, strict=True)}
        feeds = {info.name: feeds[info.name] for info in reference.inputs}
        results = reference.run(feeds)
        for output, wanted in zip(graph.output, expected, strict=True):
            found = results[output.name].double().numpy()
            tolerance = {"rtol": max(case.rtol, 1e-4), "atol": max(case.atol, 1e-5), "equal_nan": True}
            if found.shape != wanted.shape or not np.allclose(found, np.asarray(wanted, np.float64), **tolerance):
                return f"{output.name}: found {found.ravel()[:6]}, expected {np.ravel(wanted)[:6]}"
    return ""


def executable(name: str) -> tuple[Any, Reference] | None:
    """None for a case the parser refuses, or with loops, which the reference does not execute."""
    case = cases()[name]
    if not all(plain(values) for data in case.data_sets for values in data):
        return None
    try:
        return case, parse(case.model.SerializeToString()).reference()
    except ReferenceError:
        return None


@pytest.mark.parametrize("family", FAMILIES)
def test_the_reference_gives_the_published_outputs(family: str) -> None:
    names = [name for name in cases() if name.removeprefix("test_").startswith(family)]
    tried = {name: found for name in names if (found := executable(name))}
    wrong = {name: difference for name, found in tried.items() if (difference := agrees(*found))}
    assert tried, f"no case of {family} was accepted by the parser"
    assert {name for name in wrong if not name.startswith(PARSED_OTHERWISE)} == set(DIFFERENT) & set(tried), wrong


def test_a_file_that_is_no_model_is_refused() -> None:
    with pytest.raises(ReferenceError, match="the ONNX parser refused the model"):
        parse(b"not a model")


def test_a_model_of_the_command_line(tmp_path: Any) -> None:
    import subprocess
    import sys

    case = cases()["test_softmax_axis_1"]
    onnx.save(case.model, tmp_path / "m.onnx")
    ((given, expected),) = case.data_sets
    np.savez(tmp_path / "x.npz", **{case.model.graph.input[0].name: given[0]})
    command = [sys.executable, "-m", "trtnet.reference", "m.onnx", "x.npz", "y.npz"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    np.testing.assert_allclose(np.load(tmp_path / "y.npz")["y"], expected[0], rtol=1e-5)
    missing = subprocess.run([*command[:3], "none.onnx", "x.npz"], cwd=tmp_path, capture_output=True, text=True)
    assert missing.returncode == 2 and "cannot read none.onnx" in missing.stderr


def test_outputs_are_torch_tensors_of_the_declared_dtype() -> None:
    found = executable("test_softmax_axis_1")
    assert found is not None
    case, reference = found
    feeds = {
        info.name: to_torch(np.asarray(v)) for info, v in zip(reference.inputs, case.data_sets[0][0], strict=False)
    }
    assert all(isinstance(x, torch.Tensor) for x in reference.run(feeds).values())
