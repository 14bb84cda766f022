"""The benchmarks, which CI does not run: that each imports what there is, and explains itself."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import originals
from helpers.definition.quantized_networks import Perceptron, calibrated

import trtnet

FOLDER = Path(__file__).parent / "benchmarks"


@pytest.mark.parametrize("name", sorted(file.stem for file in FOLDER.glob("*.py")))
def test_a_benchmark_imports_and_shows_its_help(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    originals.import_torchvision()
    module = importlib.import_module(f"benchmarks.{name}")
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--help"])
    with pytest.raises(SystemExit) as ended:
        module.main()
    assert ended.value.code == 0
    assert "usage:" in capsys.readouterr().out
    assert f"python tests/benchmarks/{name}.py" in (module.__doc__ or "")


def test_the_scales_that_quantized_networks_are_measured_with() -> None:
    x = np.random.default_rng(0).standard_normal((4, 8)).astype(np.float32)
    weights = {"fc1.weight": (16, 8), "fc1.bias": (16,), "fc2.weight": (8, 16), "fc2.bias": (8,)}
    made = {key: torch.ones(shape) for key, shape in weights.items()}
    scales = calibrated(Perceptron(8, 16), {"x": trtnet.Input((4, 8))}, made, {"x": x})
    assert set(scales) == {"fc1.weight", "fc2.weight"}
    assert scales["fc1.weight"]["int8"] == pytest.approx(np.abs(x).max() / 127, rel=0.3)
    assert scales["fc1.weight"]["float8_e4m3fn"] in 2.0 ** np.arange(-20, 0)


def test_launches_of_a_kernel_are_summed_and_the_most_expensive_is_first() -> None:
    originals.import_torchvision()
    per_call = importlib.import_module("benchmarks.kernel_times").per_call
    launches = [("add", 1.0), ("gemm", 4.0), ("gemm", 6.0), ("add", 2.0)]
    assert per_call(launches, 2) == [("gemm", 5.0, 1.0), ("add", 1.5, 1.0)]
