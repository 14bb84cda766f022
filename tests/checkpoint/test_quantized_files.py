"""Quantized checkpoints that the libraries made, in tests/data/quantized: weights bit for bit as these give them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trtnet.checkpoint import open_checkpoint
from trtnet.checkpoint.base import raw_bytes
from trtnet.checkpoint.quantized.quantization import quantization_of
from trtnet.support.errors import CheckpointError
from trtnet.weights import detect

DATA = Path(__file__).parents[1] / "data" / "quantized"
SCHEMES = {
    "awq": "AutoAWQ: 1 of int4, a scale a block of 32, with zero points",
    "compressed_tensors_float8": "compressed-tensors: 1 of float8_e4m3fn, one scale, inputs in float8_e4m3fn",
    "compressed_tensors_float8_blocks": "compressed-tensors: 1 of float8_e4m3fn, a scale a block of 16 x 32",
    "compressed_tensors_float8_channel": "compressed-tensors: 1 of float8_e4m3fn, a scale a channel,"
    " inputs in float8_e4m3fn (measured)",
    "compressed_tensors_int3": "compressed-tensors: 1 of int3, a scale a block of 64",
    "compressed_tensors_int4": "compressed-tensors: 1 of int4, a scale a block of 32",
    "compressed_tensors_int4_zero_points": "compressed-tensors: 1 of int4, a scale a block of 32, with zero points",
    "compressed_tensors_int8": "compressed-tensors: 1 of int8, a scale a channel, inputs in int8 (measured)",
    "compressed_tensors_int8_packed": "compressed-tensors: 1 of int8, a scale a channel",
    "compressed_tensors_mxfp4": "compressed-tensors: 1 of float4_e2m1fn, a scale a block of 32",
    "compressed_tensors_nvfp4": "compressed-tensors: 1 of float4_e2m1fn, a scale a block of 16,"
    " inputs in float4_e2m1fn (measured)",
    "fp8_blocks": "FP8 blocks: 1 of float8_e4m3fn, a scale a block of 128 x all, inputs in float8_e4m3fn (measured)",
    "gguf": "GGUF: 1 of int8, a scale a block of 32; 1 of int4, a scale a block of 32;"
    " 2 of int4, a scale a block of 32, with zero points; 1 of int5, a scale a block of 32, with zero points;"
    " 1 of int6, a scale a block of 16",
    "gpt_oss": "gpt-oss MXFP4: 1 of float4_e2m1fn, a scale a block of 1 x 32 x 1",
    "gptq": "GPTQ: 1 of int4, a scale a block of 32, with zero points",
    "gptq_act_order": "GPTQ: 1 of int4, a scale a block of 32, with zero points",
    "gptq_v2": "GPTQ: 1 of int4, a scale a block of 32, with zero points",
    "modelopt_fp8": "ModelOpt: 1 of float8_e4m3fn, one scale",
    "modelopt_fp8_channel": "ModelOpt: 1 of float8_e4m3fn, a scale a channel",
    "modelopt_int4_awq": "ModelOpt: 1 of int4, a scale a block of 32",
    "modelopt_int8_sq": "ModelOpt: 1 of int8, a scale a channel",
    "modelopt_mxfp4": "ModelOpt: 1 of float4_e2m1fn, a scale a block of 32",
    "modelopt_nvfp4": "ModelOpt: 1 of float4_e2m1fn, a scale a block of 16",
    "torchao": "torchao: 1 of int8, a scale a channel; 1 of int8, a scale a channel, with zero points;"
    " 1 of float8_e4m3fn, a scale a channel; 1 of float8_e4m3fn, one scale;"
    " 1 of int4, a scale a block of 32, with zero points",
}


WITHOUT_MINUS_0 = {"modelopt_nvfp4"}
"""ModelOpt 0.47.0 reads the code of -0 as 0; here, in compressed-tensors and in the OCP's formats it is -0."""
NEED_A_CONFIGURATION = {"gptq", "gptq_v2", "gptq_act_order", "compressed_tensors_float8_blocks"}
"""Those whose tensors leave open what zero points are, or what the sizes of blocks are."""


def test_every_file_is_tested() -> None:
    assert sorted(SCHEMES) == sorted(folder.name for folder in DATA.iterdir())


@pytest.mark.parametrize("name", SCHEMES)
def test_weights_are_those_of_the_library_bit_for_bit(name: str) -> None:
    found = quantization_of(path(name))
    assert found is not None
    ours, theirs = found.dequantized(), open_checkpoint(DATA / name / "expected.safetensors")
    assert set(ours) == set(theirs)
    for key in theirs:
        assert ours.info(key) == theirs.info(key), key
        weight = ours[key] + np.float32(0) if name in WITHOUT_MINUS_0 else ours[key]
        assert raw_bytes(weight) == raw_bytes(theirs[key]), key
        assert np.unique(ours[key].astype(np.float32)).size > 5 or key == "norm.weight", key


@pytest.mark.parametrize(("name", "words"), SCHEMES.items())
def test_the_format_and_the_scheme_are_named(name: str, words: str) -> None:
    found = quantization_of(path(name))
    assert found is not None
    assert set(str(found).partition(": ")[2].split("; ")) == set(words.partition(": ")[2].split("; "))
    assert found.format == words.partition(": ")[0]
    assert str(detect(path(name)).quantization) == str(found)


ALIKE = {"modelopt_fp8", "modelopt_fp8_channel", "modelopt_int8_sq"}
"""Those of ModelOpt whose tensors compressed-tensors has too, by the same formula."""


@pytest.mark.parametrize("name", sorted({*SCHEMES} - NEED_A_CONFIGURATION))
def test_a_format_is_found_by_its_tensors_alone(name: str) -> None:
    checkpoint = open_checkpoint(path(name))
    found = quantization_of(checkpoint, config={})
    assert found is not None
    assert found.format == ("compressed-tensors" if name in ALIKE else SCHEMES[name].partition(": ")[0])


@pytest.mark.parametrize("name", sorted(NEED_A_CONFIGURATION))
def test_what_the_tensors_leave_open_is_refused(name: str) -> None:
    with pytest.raises(CheckpointError, match=r"do not show whether zero points|match no blocks of it"):
        quantization_of(open_checkpoint(path(name)), config={})


def path(name: str) -> Path:
    return next(file for file in (DATA / name).iterdir() if file.stem == "model")
