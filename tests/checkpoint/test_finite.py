"""Tensors that are not finite: found in every dtype and place, named once, masks left alone."""

import logging
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from trtnet.checkpoint import convert, open_checkpoint, save_wts
from trtnet.checkpoint.finite import PIECE, NotFinite, counts, is_finite

FLOATS = [
    np.float16, np.float32, np.float64, ml_dtypes.bfloat16, ml_dtypes.float8_e5m2, ml_dtypes.float8_e4m3fn,
]  # fmt: skip


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("value", [np.nan, -np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, PIECE - 1, PIECE, 2 * PIECE + 4])
def test_one_element_is_found_wherever_it_is(dtype: type, value: float, place: int) -> None:
    largest = float(ml_dtypes.finfo(dtype).max)
    array = np.resize(np.array([0.0, -0.0, largest, -largest, 1.0]), 2 * PIECE + 5).astype(dtype)
    assert is_finite(array)
    array[place] = value
    assert not is_finite(array)
    assert counts(array) in ("1 NaN of 131,077", "1 Inf of 131,077")


def test_integers_and_empty_tensors_are_finite() -> None:
    for array in (np.full(3, 0x7FC00000, np.int32), np.ones(2, bool), np.zeros((0, 4), np.float32)):
        assert is_finite(array)


def test_masks_are_no_weights() -> None:
    causal = np.triu(np.full((4, 4), -np.inf, np.float32), 1)
    slopes = causal + np.arange(4, dtype=np.float32)
    lost = NotFinite()
    lost.look("causal", causal)
    lost.look("all", np.full(3, -np.inf, np.float32))
    lost.look("slopes in a buffer", slopes, is_buffer=True)
    assert lost.found == {}
    lost.look("slopes", slopes)
    lost.look("a buffer with NaN", np.where(causal < 0, np.nan, causal), is_buffer=True)
    lost.look("positive", -causal)
    assert lost.found == {
        "slopes": "6 Inf of 16", "a buffer with NaN": "6 NaN of 16", "positive": "6 Inf of 16",
    }  # fmt: skip


@pytest.mark.parametrize("suffix", [".safetensors", ".wts"])
def test_what_is_written_is_looked_at(suffix: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tensors = {f"w{i}": np.array([i, np.nan, 2], np.float32) for i in range(6)} | {"b": np.ones(2, np.float32)}
    checkpoint = open_checkpoint(tensors)
    with caplog.at_level(logging.WARNING):
        if suffix == ".wts":
            save_wts(tmp_path / "out.wts", checkpoint)
        else:
            convert(checkpoint, tmp_path / "out.safetensors")
    (record,) = caplog.records
    text = record.getMessage()
    assert text.startswith("a mapping of 7 tensors: 6 tensors have NaN or infinite values: w0 (1 NaN of 3), w1")
    assert " and 2 more. " in text
