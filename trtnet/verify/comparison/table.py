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
IN_FLOATS = "rel. L2 in floats"
"""The column of networks without their quantization."""


def picture(comparison: ComparisonResult) -> RenderableType:
    """The table, and what there is to say beside its numbers."""
    lines = [line for output in comparison.outputs for line in output.lines()]
    lines += [f"note: {note}" for note in comparison.notes]
    return Group(table(comparison), *(Text(line, style=STYLES.get(line[:6], "")) for line in lines))


def table(comparison: ComparisonResult) -> Table:
    """The numbers: a row an output, those of its worst iteration."""
    names, rows = columns(comparison), rows_of(comparison)
    picture = Table(title=title(comparison))
    for column in names[:2]:
        picture.add_column(column, overflow="fold")
    for column in names[2:]:
        picture.add_column(column, justify="right", no_wrap=True)
    for output, row in zip(comparison.outputs, rows, strict=True):
        style = "red" if not output.passed else "yellow" if output.weak else "green"
        picture.add_row(*(Text(cell) for cell in row[:-1]), Text(row[-1], style=f"bold {style}"))
    return picture


def columns(comparison: ComparisonResult) -> tuple[str, ...]:
    """The names of the columns, one more where a network is quantized."""
    more = (IN_FLOATS,) if _has_floats(comparison) else ()
    return (*COLUMNS[:4], *more, *COLUMNS[4:])


def rows_of(comparison: ComparisonResult) -> list[list[str]]:
    """The rows, with their verdicts."""
    rows = []
    for output in comparison.outputs:
        row = [*cells(output), verdict(output)]
        floats = [written(max(output.in_floats), ".2e") if output.in_floats else ""]
        rows.append([*row[:4], *(floats if _has_floats(comparison) else []), *row[4:]])
    return rows


def _has_floats(comparison: ComparisonResult) -> bool:
    return any(output.in_floats for output in comparison.outputs)


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
