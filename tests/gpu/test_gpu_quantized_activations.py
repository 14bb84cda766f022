"""Operands of sums, concatenations and norms in 8 bits on a real GPU, beside the reference. conftest.py skips these.

TensorRT-RTX 1.6.1 does not build int8 convolutions on an H200: those are float8 here, or floats between int8.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.comparing import relative_l2
from helpers.definition.convolutional_networks import INPUTS, ConvNeXt, DenseNet, Inception, ResNet, data, made

import trtnet
from trtnet.tools.audit.audit import audit

pytestmark = pytest.mark.gpu
ROWS = {"sums": ResNet, "concatenations": DenseNet, "joined once": Inception, "norms": ConvNeXt}
SCALES: dict[str, dict[str, float]] = {
    "sums": {"layer1.add": 0.05, "layer2.add": 0.08}, "concatenations": {"layer2.cat": 0.06, "cat": 0.06},
    "joined once": {"cat": 0.15}, "norms": {"norm": 0.07},
}  # fmt: skip


def compared(network: Any) -> None:
    engine = network.build({"n": (1, 8, 8)})
    x = data(8, 1)["x"].astype(np.float16 if network.dtype.name == "float16" else np.float32)
    found = engine(torch.from_numpy(x).cuda()).float().cpu()
    wanted = np.asarray(network.reference()(x), np.float32)
    assert relative_l2(found, wanted) < {"float16": 3e-2, "float32": 1e-2}[network.dtype.name]
    rows = [row for row in audit(engine).modules if row.name in network.quantized.activations]
    assert len(rows) == len(network.quantized.activations)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("row", ROWS)
def test_float8_beside_float8_convolutions(row: str, dtype: str, tmp_path: Path) -> None:
    model, file = made(ROWS[row]()), tmp_path / "q.safetensors"
    placement = "concatenations" if row == "joined once" else row
    trtnet.quantize(model, data(), file, INPUTS, scheme="fp8_channel", placement=placement)
    inputs = {"x": trtnet.Input(INPUTS["x"].shape, dtype)}
    compared(trtnet.define(model, inputs, file, quantization="checkpoint", dtype=dtype))


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("row", ROWS)
def test_int8_beside_convolutions_of_floats(row: str, dtype: str) -> None:
    said = {name: {"scheme": "int8_activation", "scale": scale} for name, scale in SCALES[row].items()}
    inputs = {"x": trtnet.Input(INPUTS["x"].shape, dtype)}
    compared(trtnet.define(made(ROWS[row]()), inputs, quantization=said, dtype=dtype))
