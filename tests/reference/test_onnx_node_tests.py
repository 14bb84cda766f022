"""The reference against the ONNX project's node tests: see onnx_cases.py."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest
import torch

from trtnet.reference.__main__ import main
from trtnet.reference.onnx import parse
from trtnet.reference.step import to_torch
from trtnet.support.errors import ExecutionError

onnx = pytest.importorskip("onnx")

from reference.onnx_cases import DIFFERENT, RANDOM, cases, verdict  # noqa: E402

GROUPS = 24


@pytest.mark.parametrize("group", range(GROUPS))
def test_the_reference_gives_the_published_outputs(group: int) -> None:
    names = [name for name in cases() if zlib.crc32(name.encode()) % GROUPS == group]
    verdicts = {name: verdict(name) for name in names}
    wrong = {name: found for name, (kind, found) in verdicts.items() if kind == "differs"}
    assert sum(kind == "agrees" for kind, _ in verdicts.values()) > 10
    explained = {name for name in names if name in DIFFERENT and DIFFERENT[name] != RANDOM}
    assert {name for name in wrong if DIFFERENT.get(name) != RANDOM} == explained, wrong


def test_a_file_that_is_not_a_model_is_rejected() -> None:
    with pytest.raises(ExecutionError, match="the ONNX parser refused the model"):
        parse(b"not a model")


def test_a_model_of_the_command_line(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
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
    with pytest.raises(SystemExit) as end:
        main(tmp_path / "none.onnx", tmp_path / "x.npz")
    assert end.value.code == 2 and f"cannot read {tmp_path}/none.onnx" in capsys.readouterr().err


def test_outputs_are_torch_tensors_of_the_declared_dtype() -> None:
    case = cases()["test_softmax_axis_1"]
    reference = parse(case.model.SerializeToString()).reference()
    feeds = {
        info.name: to_torch(np.asarray(v)) for info, v in zip(reference.inputs, case.data_sets[0][0], strict=False)
    }
    found = reference.run(feeds)
    assert {name: (type(x), x.dtype) for name, x in found.items()} == {"y": (torch.Tensor, torch.float32)}
