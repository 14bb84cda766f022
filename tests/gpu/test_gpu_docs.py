"""The blocks of the documentation that need a GPU run, in their pages."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.docs.pages import PAGES, read
from helpers.docs.running import run

pytestmark = pytest.mark.gpu

ON_A_GPU = [path for path in PAGES if any("gpu" in block.marks for block in read(path).blocks)]


@pytest.mark.parametrize("path", ON_A_GPU, ids=lambda path: path.stem)
def test_what_is_shown_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run(read(path), has_gpu=True)
