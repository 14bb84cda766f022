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

FOLDER = ROOT / "docs" / "examples"
EXAMPLES = [FOLDER / f"{name}.py" for name in ("convert", "define", "detect", "generate", "serve")]
"""Those that are fast."""


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_prints_what_it_says(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    import_torchvision()  # some programs use it
    said = (ast.get_docstring(ast.parse(path.read_text())) or "").partition("rints:\n")[2]
    with redirect_stdout(io.StringIO()) as printed:
        runpy.run_path(str(path), run_name="__main__")
    assert said and agrees(said, printed.getvalue()), printed.getvalue()


def test_every_program_says_what_it_prints_and_is_short() -> None:
    for path in FOLDER.glob("*.py"):
        text = path.read_text()
        assert "rints:\n" in (ast.get_docstring(ast.parse(text)) or ""), path
        assert len(text.splitlines()) <= (83 if path.stem == "convert" else 60), path
