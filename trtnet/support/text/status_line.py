"""A line on standard error that says how far long work is."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class StatusLine:
    """As a context manager it gives what changes the text. wanted: whether there is a line at all."""

    def __init__(self, wanted: bool, text: str) -> None:
        columns = SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True, disable=not wanted)
        self._task = self._bar.add_task(text, total=None)

    def __enter__(self) -> Callable[[str], None]:
        self._bar.start()
        return lambda text: self._bar.update(self._task, description=text)

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
