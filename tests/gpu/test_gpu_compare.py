"""`trtnet.compare` where engines run: trtnet's engine, the ONNX parser's and torch, three ways."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from helpers import originals

import trtnet
from trtnet import models
from trtnet.tools.bench.other_tools.onnx_route import onnx_engine
from trtnet.tools.compare import open_things
from trtnet.tools.targets.networks import Choices

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_three_ways(dtype: str) -> None:
    torch.manual_seed(0)
    original = originals.randomize(originals.resnet("resnet18"))
    inputs = {"image": trtnet.Input(("batch", 3, 224, 224))}
    network = trtnet.define(models.resnet18(), inputs, original.state_dict(), dtype=dtype)
    engine = network.build({"batch": 2})
    exported = copy.deepcopy(original).to(getattr(torch, dtype))
    image = torch.zeros(2, 3, 224, 224, dtype=getattr(torch, dtype))
    report = trtnet.compare(
        {
            "trtnet engine": engine,
            "trtnet session": engine.session(),
            "trtnet reference": network,
            "ONNX parser's engine": onnx_engine(exported, [image]),
        },
        {"torch": original},
        iterations=3,
    )
    print(report)
    assert report.passed, str(report)


def test_engines_that_the_command_line_builds(tmp_path: Path) -> None:
    (tmp_path / "original.py").write_text("from helpers.originals import LeNet as lenet\n")
    choices = Choices(dims=["batch=4"])
    sources, _ = open_things(["engine:lenet", f"torch:{tmp_path}/original.py:lenet"], choices)
    expected = sources.pop(f"torch:{tmp_path}/original.py:lenet")
    report = trtnet.compare(sources, {"torch": expected}, dims={"batch": 4}, iterations=2)
    assert report.passed, str(report)
