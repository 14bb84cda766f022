"""A progress bar over TensorRT's build phases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from trtnet.support.backend import trt


class ProgressBar(trt.IProgressMonitor):  # type: ignore[misc]
    """Shows the phases TensorRT reports, nested as they come. Use it as a context manager.

    interrupted: what ends the build, such as Ctrl-C, which is heard whether the bar is visible or not.
    """

    def __init__(self, visible: bool) -> None:
        super().__init__()
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
        )
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True, disable=not visible)
        self._tasks: dict[str, TaskID] = {}
        self.interrupted: BaseException | None = None

    def __enter__(self) -> ProgressBar:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._bar.stop()

    @contextmanager
    def _heard(self) -> Iterator[None]:
        """Keeps what interrupts for the end of the build: TensorRT, which calls, takes no exceptions."""
        try:
            yield
        except (KeyboardInterrupt, SystemExit) as error:
            self.interrupted = error

    def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
        with self._heard():
            depth = "  " if parent_phase else ""
            self._tasks[phase_name] = self._bar.add_task(f"{depth}{phase_name}", total=num_steps)

    def step_complete(self, phase_name: str, step: int) -> bool:
        with self._heard():
            if phase_name in self._tasks:
                self._bar.update(self._tasks[phase_name], completed=step)
        return self.interrupted is None

    def phase_finish(self, phase_name: str) -> None:
        with self._heard():
            task = self._tasks.pop(phase_name, None)
            if task is not None:
                self._bar.remove_task(task)
