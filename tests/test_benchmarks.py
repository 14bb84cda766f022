"""The benchmarks, which CI does not run: that each imports what there is, and explains itself."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from helpers import originals

FOLDER = Path(__file__).parent / "benchmarks"


@pytest.mark.parametrize("name", sorted(file.stem for file in FOLDER.glob("*.py")))
def test_a_benchmark_imports_and_shows_its_help(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    originals.import_torchvision()
    module = importlib.import_module(f"benchmarks.{name}")
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--help"])
    with pytest.raises(SystemExit) as ended:
        module.main()
    assert ended.value.code == 0
    assert "usage:" in capsys.readouterr().out
    assert f"python tests/benchmarks/{name}.py" in (module.__doc__ or "")
