"""model.bin of CTranslate2: names, arrays, scaled integers, aliases; and damaged ones."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from helpers.whispers import write_model_bin

from trtnet.checkpoint import open_checkpoint
from trtnet.checkpoint.formats.ctranslate2_file import CTranslate2File
from trtnet.support.errors import CheckpointError

RNG = np.random.default_rng(0)
ARRAYS = {
    "a/weight": RNG.normal(size=(3, 4)).astype(np.float32),
    "a/bias": RNG.normal(size=5).astype(np.float16),
    "b": RNG.normal(size=(2, 1, 3)).astype(ml_dtypes.bfloat16),
    "a/num_heads": np.int16(6),
}


def test_every_array_is_read_bit_for_bit(tmp_path: Path) -> None:
    path = write_model_bin(tmp_path / "model.bin", ARRAYS, {"c/weight": "a/weight"})
    for found in (open_checkpoint(path), open_checkpoint(tmp_path)):
        assert isinstance(found, CTranslate2File)
        assert sorted(found) == ["a/bias", "a/weight", "b", "c/weight"]
        for key in ("a/weight", "a/bias", "b"):
            np.testing.assert_array_equal(found[key], ARRAYS[key], strict=True)
        np.testing.assert_array_equal(found["c/weight"], ARRAYS["a/weight"], strict=True)
        assert found.settings == {"a/num_heads": 6.0} and found.spec == "WhisperSpec"


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_scaled_integers_become_floats(tmp_path: Path, dtype: str) -> None:
    values, largest = RNG.normal(size=(3, 4)).astype(np.float32), np.iinfo(dtype).max
    scale = largest / np.abs(values).max(1) if dtype == "int8" else np.float32(largest / np.abs(values).max())
    rows = scale[:, None] if dtype == "int8" else scale
    arrays = {"w": np.round(values * rows).astype(dtype), "w_scale": np.asarray(scale, np.float32)}
    found = open_checkpoint(write_model_bin(tmp_path / "model.bin", arrays))
    assert list(found) == ["w"] and found.info("w").dtype.name == "float32"
    assert np.abs(found["w"] - values).max() <= 0.51 * np.abs(values).max() / largest
    assert found.listed("w").dtype == dtype


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    content = write_model_bin(tmp_path / "model.bin", ARRAYS).read_bytes()
    for cut in range(18, len(content), 7):
        (tmp_path / "cut.bin").write_bytes(content[:cut])
        with pytest.raises(CheckpointError, match=r"not a readable model\.bin"):
            open_checkpoint(tmp_path / "cut.bin")
    (tmp_path / "new.bin").write_bytes(b"\x07" + content[1:])
    with pytest.raises(CheckpointError, match="version 7; 4 to 6 are known"):
        open_checkpoint(tmp_path / "new.bin")
    (tmp_path / "more.bin").write_bytes(content + b"\0")
    with pytest.raises(CheckpointError, match="its arrays end at"):
        open_checkpoint(tmp_path / "more.bin")
