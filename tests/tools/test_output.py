"""What commands write with --json: valid JSON, whatever the numbers."""

from __future__ import annotations

import errno
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from trtnet.support.errors import FileError
from trtnet.tools.bench.reports.trtexec_export import text
from trtnet.tools.output import show

RESULT = {"a": float("nan"), "b": [1.5, float("inf")], "c": ({"d": -float("inf")}, 3, True, None, "NaN"), "e": 1e308}
WRITTEN = {"a": "nan", "b": [1.5, "inf"], "c": [{"d": "-inf"}, 3, True, None, "NaN"], "e": 1e308}


def read(written: str) -> Any:
    def refused(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(written, parse_constant=refused)


def test_numbers_that_are_not_finite_are_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show("a picture", RESULT, "-")
    assert read(capsys.readouterr().out) == WRITTEN
    show("a picture", RESULT, str(tmp_path / "result.json"))
    assert capsys.readouterr().out == "a picture\n"
    assert read((tmp_path / "result.json").read_text()) == WRITTEN
    assert read(text(RESULT)) == WRITTEN


def test_what_is_piped_has_no_blanks_at_the_ends_of_lines(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("key", "number", title="a title", caption="a caption")
    table.add_row("x" * 90, "1")
    show(Group(table, Padding(Text("advice"), (0, 0, 0, 9)), Text("")), {}, None)
    lines = capsys.readouterr().out.split("\n")
    assert "         advice" in lines and any("x" * 90 in line for line in lines)
    assert lines == [line.rstrip() for line in lines]


class Full(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("json_file", [None, "-"])
def test_standard_output_that_cannot_be_written(json_file: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", Full())
    with pytest.raises(FileError, match="standard output: No space left on device"):
        show("a picture", {}, json_file)


def test_standard_output_that_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", None)  # as by >&-
    show("a picture", RESULT, str(tmp_path / "result.json"))
    assert read((tmp_path / "result.json").read_text()) == WRITTEN
