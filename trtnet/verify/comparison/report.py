"""A comparison to read, to check and to save."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from rich.console import RenderableType

from trtnet.support.errors import DifferenceError
from trtnet.support.text.printing import as_text
from trtnet.verify.arrays.saved import write_file, write_page
from trtnet.verify.comparison.junit import junit
from trtnet.verify.comparison.page import page
from trtnet.verify.comparison.result import ComparisonResult
from trtnet.verify.comparison.table import picture


@dataclass(frozen=True)
class Comparison(ComparisonResult):
    """What a comparison found, with the fields of ComparisonResult: ``print`` shows it as a table."""

    def raise_if_failed(self) -> None:
        """Raises DifferenceError with the table, unless everything passed."""
        if not self.passed:
            raise DifferenceError(f"the outputs differ from those of {self.expected}\n{self}")

    def __str__(self) -> str:
        return as_text(self)

    def __rich__(self) -> RenderableType:
        return picture(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a self-contained page, .html: tables, and plots if matplotlib is installed; or JUnit's .xml.

        Raises TrtnetError for a name that ends in neither, and where it cannot be written.
        """
        if Path(path).suffix == ".xml":
            write_file(Path(path), junit(self).encode())
        else:
            write_page(Path(path), page(self))
