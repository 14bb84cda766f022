"""The table of what was measured: its file, and what it says of an operation on a GPU."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.comparing import Function

import trtnet
from trtnet import ops
from trtnet.definition import network as definition
from trtnet.ops.formulations import FORMS, MEASURED, Fastest, fastest, measured
from trtnet.ops.formulations.measured import read_table, write_table
from trtnet.support import backend, dtypes
from trtnet.support.errors import ModelError
from trtnet.support.version import release

ROW = Fastest(
    "row", "reduction", "tensorrt_rtx", ("1.4", "2"), "9.0", ("float16",), {"weights": 100}, {"in_features": 50},
    "NVIDIA H200", "1.6.1.120", "2026-11-29",
)  # fmt: skip
HALF = dtypes.get("float16")


def say(
    rows: list[Fastest], capabilities: tuple[str, ...] = (), version: str = "1.6.1.120", **facts: int
) -> str | None:
    return fastest(
        "row", "tensorrt_rtx", version, lambda: capabilities, HALF, {"weights": 100, "in_features": 50} | facts, rows
    )


def test_every_shipped_row_is_of_a_known_form_and_says_its_source() -> None:
    assert MEASURED
    for row in MEASURED:
        assert row.form in FORMS[row.kind]
        assert row.backend in backend.BACKENDS and release(row.versions[0]) < release(row.versions[1])
        assert (
            row.gpu and row.date and release(row.versions[0]) <= release(row.measured_with) < release(row.versions[1])
        )


def test_a_row_holds_in_its_range_of_numbers_versions_and_dtypes() -> None:
    assert say([ROW]) == "reduction"
    assert say([ROW], weights=99) is None and say([ROW], in_features=51) is None
    assert say([ROW], version="1.3.9") is None and say([ROW], version="2.0.1") is None
    assert say([replace(ROW, dtypes=("float32",))]) is None and say([replace(ROW, dtypes=())]) == "reduction"
    assert say([replace(ROW, least={"pixels": 1})]) is None, "a number that is not known is in no range"
    assert say([replace(ROW, backend="tensorrt")]) is None


def test_first_convolutions_of_short_windows_are_as_the_model_says() -> None:
    """Blocks were faster where a window has two steps and more; of 3x3 and stride 2 they were not."""
    facts = {"pixels": 224 * 224, "out_channels": 64}
    for steps, form in ((1, None), (2, "space_to_depth"), (3, "space_to_depth")):
        found = fastest("stem", "tensorrt_rtx", "1.6.1.120", lambda: ("9.0",), HALF, facts | {"steps": steps}, MEASURED)
        assert found == form


@pytest.mark.parametrize(
    ("batch", "groups", "channels", "form"),
    [
        (1, 26, 8, None),
        (32, 26, 8, "dense"),
        (32, 32, 16, None),
        (1 << 31, 26, 8, None),
        (1, 32, 8, "wide_blocks"),
        (2, 32, 8, None),
    ],
)
def test_small_groups_are_dense_in_a_large_known_batch(
    batch: int, groups: int, channels: int, form: str | None
) -> None:
    """On an H200 RegNet-Y-400MF takes 0.97 instead of 1.38 ms at batch 32, and 0.48 instead of 0.32 ms at batch 1.

    ResNeXt-50's 32 groups take 0.29 instead of 0.38 ms at batch 1 in wide blocks.
    """
    facts = {"batch": batch, "pixels": 784, "out_channels": 256, "groups": groups, "channels": channels}
    assert fastest("grouped", "tensorrt_rtx", "1.6.1.120", lambda: ("9.0",), HALF, facts, MEASURED) == form


def test_what_was_measured_on_another_gpu_does_not_count() -> None:
    assert say([ROW], ("9.0",)) == "reduction"
    assert say([ROW], ("8.9",)) is None
    assert say([ROW], ("9.0", "8.9")) is None
    both = [ROW, replace(ROW, compute_capability="8.9")]
    assert say(both, ("9.0", "8.9")) == "reduction"


def test_where_the_gpu_is_not_known_all_that_were_measured_must_agree() -> None:
    assert say([ROW, replace(ROW, compute_capability="8.9")]) == "reduction"
    assert say([ROW, replace(ROW, compute_capability="8.9", form="product")]) is None
    assert say([ROW, replace(ROW, compute_capability="8.9", most={"in_features": 1})]) == "reduction"


def test_the_first_row_that_holds_counts() -> None:
    assert say([replace(ROW, form="product"), ROW], ("9.0",)) == "product"


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "table.json"
    rows = [ROW, replace(ROW, dtypes=(), least={}, most={})]
    write_table(rows, file)
    assert read_table(file) == rows
    write_table(MEASURED, file)
    assert file.read_text() == (Path(measured.__file__).parent / "measured.json").read_text()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"table": 9, "rows": []}', '{"table": 1, "rows": [{"form": "x"}]}'])
def test_a_file_that_is_not_a_table_is_an_error(text: str, tmp_path: Path) -> None:
    (tmp_path / "table.json").write_text(text)
    with pytest.raises(ModelError, match=r"table\.json cannot be read as a table of forms"):
        read_table(tmp_path / "table.json")


def test_which_gpu_is_here_is_asked_where_something_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(measured, "MEASURED", [Fastest("gelu", "float32", backend.name(), ("1", "99"), "9.0")])
    monkeypatch.setattr(definition, "compute_capability_here", lambda: asked.append(1) or ())
    for function, times in ((ops.relu, 0), (ops.silu, 0), (ops.gelu, 1)):
        trtnet.define(Function(function), {"x": trtnet.Input((2, 3))}, {}, dtype="float16")
        assert len(asked) == times


@pytest.mark.parametrize(
    ("given", "here", "form"),
    [
        ((), (), "float32"),
        ((), ("9.0",), "float32"),
        ((), ("8.9",), "layer"),
        (("9.0",), ("8.9",), "float32"),
        (("9.0", "8.9"), ("9.0",), "layer"),
    ],
)
def test_define_chooses_for_the_gpu_that_is_given_or_here(
    given: tuple[str, ...], here: tuple[str, ...], form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [Fastest("gelu", "float32", backend.name(), ("1", "99"), "9.0")]
    monkeypatch.setattr(measured, "MEASURED", rows)
    monkeypatch.setattr(definition, "compute_capability_here", lambda: here)
    options: dict[str, Any] = {"dtype": "float16", "compute_capabilities": given}
    network = trtnet.define(Function(ops.gelu), {"x": trtnet.Input((2, 3))}, {}, **options)
    assert network.describe().forms == {"": {"gelu": form}}
