"""A comparison to read in a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from trtnet.verify.comparison.result import ComparisonResult, OutputComparison
from trtnet.verify.metrics.array_metrics import written

COLUMNS = ("", "output", "max abs", "rel. L2", "cosine", "top-1", "verdict")
STYLES = {"  FAIL": "red", "  WEAK": "bold yellow"}
"""Of lines, by how they begin."""


def picture(comparison: ComparisonResult) -> RenderableType:
    """The table, and what there is to say beside its numbers."""
    lines = [line for output in comparison.outputs for line in output.lines()]
    lines += [f"note: {note}" for note in comparison.notes]
    return Group(table(comparison), *(Text(line, style=STYLES.get(line[:6], "")) for line in lines))


def table(comparison: ComparisonResult) -> Table:
    """The numbers: a row an output, those of its worst iteration."""
    picture = Table(title=title(comparison))
    for column in COLUMNS[:2]:
        picture.add_column(column, overflow="fold")
    for column in COLUMNS[2:]:
        picture.add_column(column, justify="right", no_wrap=True)
    for output in comparison.outputs:
        style = "red" if not output.passed else "yellow" if output.weak else "green"
        picture.add_row(*(Text(cell) for cell in cells(output)), Text(verdict(output), style=f"bold {style}"))
    return picture


def title(comparison: ComparisonResult) -> str:
    """What was compared with what, on which inputs."""
    count = max((len(output.iterations) for output in comparison.outputs), default=0)
    inputs = "given inputs" if comparison.seed is None else f"random inputs, seed {comparison.seed}"
    what = "steps of a sequence" if any(output.is_sequence for output in comparison.outputs) else "iterations"
    several = f", {count} {what}, the worst of each" if count > 1 else ""
    return f"against {comparison.expected}: {inputs}{several}"


def cells(output: OutputComparison) -> list[str]:
    """A row of the table, but for its verdict."""
    worst = output.worst
    name = output.output if output.output == output.expected_output else f"{output.output} ({output.expected_output})"
    dtype = worst.dtype if worst.dtype == worst.expected_dtype else f"{worst.dtype} ({worst.expected_dtype})"
    numbers = [written(value, ".2e") for value in (worst.max_abs, worst.relative_l2)]
    is_scores = worst.ranking is not None and len(worst.shape) == 2  # rows of an image are no scores of classes
    top = f"{100 * worst.ranking.argmax:.4g} %" if is_scores and worst.ranking else ""
    return [output.candidate, f"{name} {list(worst.shape)} {dtype}", *numbers, f"{worst.cosine:.7f}", top]


def verdict(output: OutputComparison) -> str:
    return "FAIL" if not output.passed else "PASS, weak" if output.weak else "PASS"
