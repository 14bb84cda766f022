"""A progress bar over TensorRT's build phases."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from trtnet.backend import trt


class ProgressBar(trt.IProgressMonitor):  # type: ignore[misc]
    """Shows the phases TensorRT reports, nested as they come; Ctrl-C cancels the build. Use it as a context manager."""

    def __init__(self) -> None:
        super().__init__()
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
        )
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._tasks: dict[str, TaskID] = {}
        self.interrupted = False

    def __enter__(self) -> ProgressBar:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._bar.stop()

    def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
        depth = "  " if parent_phase else ""
        self._tasks[phase_name] = self._bar.add_task(f"{depth}{phase_name}", total=num_steps)

    def step_complete(self, phase_name: str, step: int) -> bool:
        try:
            if phase_name in self._tasks:
                self._bar.update(self._tasks[phase_name], completed=step)
        except KeyboardInterrupt:
            self.interrupted = True
        return not self.interrupted

    def phase_finish(self, phase_name: str) -> None:
        task = self._tasks.pop(phase_name, None)
        if task is not None:
            self._bar.remove_task(task)
