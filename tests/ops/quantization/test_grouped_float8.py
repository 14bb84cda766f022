"""Engines with float8 convolutions of groups: the kernels that TensorRT-RTX compiles for a call's shapes crash."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.definition.convolutional_networks import INPUTS, ConvNeXt, data, made

import trtnet
from trtnet.builder.build import describe
from trtnet.builder.plan import PlanInfo
from trtnet.runtime.execution.context_options import check_kernels, specializes
from trtnet.support.backend import supports
from trtnet.support.errors import InputError

SHAPES = {"dynamic": ((1, 3, 12, 12), (2, 3, 12, 12), (4, 3, 12, 12)), "fixed": ((4, 3, 12, 12),) * 3}
needs_kernels = pytest.mark.skipif(not supports("kernel_specialization"), reason="TensorRT specializes no kernels")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("grouped") / "q.safetensors"
    trtnet.quantize(made(ConvNeXt()), data(), file, INPUTS, scheme="fp8_channel")
    return file


def described(checkpoint: Path, schemes: Any, shapes: str) -> PlanInfo:
    """What the sidecar of an engine in float16 says."""
    inputs = {"x": trtnet.Input(INPUTS["x"].shape, "float16")}
    network = trtnet.define(made(ConvNeXt()), inputs, checkpoint, quantization=schemes, dtype="float16")
    return replace(describe(network), profiles=({"x": SHAPES[shapes]},))


@pytest.mark.parametrize(
    ("schemes", "shapes", "crashes"),
    [
        ("checkpoint", "dynamic", True),
        ("checkpoint", "fixed", False),
        ({"dwconv": "none", "*": "checkpoint"}, "dynamic", False),
    ],
)
@needs_kernels
def test_kernels_that_would_crash_are_not_allowed(
    checkpoint: Path, schemes: Any, shapes: str, crashes: bool, caplog: pytest.LogCaptureFixture
) -> None:
    info = described(checkpoint, schemes, shapes)
    assert specializes(info) != crashes
    with caplog.at_level(logging.WARNING):
        check_kernels(info, None)
    assert ("float8 convolutions with groups" in caplog.text) == crashes
    refused = pytest.raises(InputError, match="leave it out, or build for fixed shapes") if crashes else nullcontext()
    with refused:
        check_kernels(info, True)
