"""The programs in docs/examples run, and print what they say."""

from __future__ import annotations

import ast
import io
import runpy
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from helpers.docs.output import agrees
from helpers.docs.pages import ROOT
from helpers.originals import import_torchvision

EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_prints_what_it_says(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    import_torchvision()  # some programs use it
    said = (ast.get_docstring(ast.parse(path.read_text())) or "").partition("rints:\n")[2]
    with redirect_stdout(io.StringIO()) as printed:
        runpy.run_path(str(path), run_name="__main__")
    assert said and agrees(said, printed.getvalue()), printed.getvalue()


def test_there_are_five() -> None:
    assert [path.stem for path in EXAMPLES] == ["convert", "define", "detect", "generate", "serve"]
