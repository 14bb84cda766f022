"""A bisection to read and to save."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from rich.console import RenderableType

from trtnet.support.text.printing import as_text
from trtnet.verify.arrays.saved import write_page
from trtnet.verify.bisection.page import page
from trtnet.verify.bisection.result import BisectionResult
from trtnet.verify.bisection.table import picture


@dataclass(frozen=True)
class Bisection(BisectionResult):
    """Where a network and its torch original differ, with the fields of BisectionResult: ``print`` shows a table."""

    def __str__(self) -> str:
        return as_text(self)

    def __rich__(self) -> RenderableType:
        return picture(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a self-contained page: the findings, every call of a module, and, if matplotlib is installed,
        the error by depth. Raises TrtnetError for a name that does not end in .html, and where it cannot be written.
        """
        write_page(Path(path), page(self))
