"""Whatever stands in a safetensors header or an index: it is read, or refused with an error of trtnet's own."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings, strategies as st
from safetensors.numpy import save_file

from trtnet.checkpoint import convert, open_checkpoint
from trtnet.support.errors import CheckpointError, WeightsError

NUMBERS = st.one_of(st.integers(-3, 40), st.integers(), st.just(2**63), st.floats(), st.none(), st.text(max_size=3))
ENTRY = st.fixed_dictionaries(
    {},
    optional={
        "dtype": st.one_of(st.sampled_from(["F32", "F16", "BF16", "I64", "BOOL", "F8_E4M3", "F4", "C64"]), NUMBERS),
        "shape": st.one_of(st.lists(NUMBERS, max_size=3), NUMBERS),
        "data_offsets": st.one_of(st.lists(NUMBERS, max_size=3), st.tuples(st.integers(0, 40), st.integers(0, 40))),
    },
)
HEADER = st.dictionaries(st.one_of(st.text(max_size=5), st.just("__metadata__")), st.one_of(ENTRY, NUMBERS), max_size=4)
SETTINGS = settings(max_examples=300, deadline=None)


def read_all(path: Path) -> None:
    """Reads every tensor and converts the file: both work, or leave nothing behind."""
    out = path.with_name("out.safetensors")
    with contextlib.suppress(CheckpointError, WeightsError):
        dict(open_checkpoint(path))
    try:
        convert(path, out)
    except (CheckpointError, WeightsError):
        assert not out.exists()
    assert [p.name for p in path.parent.iterdir() if p.suffix == ".tmp"] == []


@SETTINGS
@given(HEADER, st.binary(max_size=64), st.one_of(st.none(), st.integers(0, 2**64 - 1)))
def test_headers(header: dict[str, Any], data: bytes, length: int | None) -> None:
    text = json.dumps(header).encode()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.safetensors"
        path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + data)
        read_all(path)


@SETTINGS
@given(st.binary(max_size=200))
def test_bytes(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("safetensors", "npz", "pt", "safetensors.index.json"):
            path = Path(folder) / f"x.{suffix}"
            path.write_bytes(content)
            try:
                dict(open_checkpoint(path))
            except CheckpointError as error:
                assert path.name in str(error)


NAMES = st.one_of(
    st.sampled_from(
        ["a.safetensors", "../a.safetensors", "/etc/passwd", "a.safetensors/../a.safetensors", "x.index.json"]
    ),
    st.text(max_size=12),
    NUMBERS,
)

MAPS = st.dictionaries(st.one_of(st.just("w"), st.text(max_size=4)), NAMES, max_size=3)


@SETTINGS
@given(st.one_of(MAPS, NUMBERS, st.lists(NUMBERS)))
def test_indexes(weight_map: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        inner = Path(folder) / "inner"
        inner.mkdir()
        for place in (Path(folder), inner):
            save_file({"w": np.ones(1, np.float32)}, place / "a.safetensors")
        (inner / "x.index.json").write_text(json.dumps({"weight_map": weight_map}))
        try:
            found = open_checkpoint(inner / "x.index.json")
        except CheckpointError:
            return
        assert all(name == "a.safetensors" for name in weight_map.values())
        dict(found)
