"""A bisection to read in a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from trtnet.support.text.counted import counted
from trtnet.verify.bisection.result import NAMED, BisectionResult, Finding, Row, Verdict
from trtnet.verify.comparison.result import SHOWN

AROUND = 3
"""How many rows before and after a named module are shown; JSON and the page have all."""
IN_FLOATS = "out in floats"
"""The column of the network without its quantization."""
COLUMNS = ("module", "type", "in", "out", "budget", "alone", "verdict")


def picture(bisection: BisectionResult) -> RenderableType:
    """What was found and why, and the named module among its neighbours; without one, the largest errors."""
    lines = [*headlines(bisection), *(Text(f"note: {note}") for note in remarks(bisection))]
    return Group(*lines, table(bisection))


def headlines(bisection: BisectionResult) -> Iterator[Text]:
    """The findings and the outputs that fail, or that there is nothing of either."""
    if bisection.passed:
        yield Text("no module computes anything else than its original", style="bold green")
    for finding in bisection.findings:
        yield Text(headline(finding), style="bold red")
        yield from (Text(f"  {reason}") for reason in finding.reasons)
    for output in bisection.outputs:
        for failure in output.failures[:SHOWN]:
            yield Text(f"the model's output {output.output}: {failure}", style="red")
        if len(output.failures) > SHOWN:
            yield Text(f"the model's output {output.output}: and {len(output.failures) - SHOWN} more", style="red")
        if output.weak:
            yield Text(f"the model's output {output.output}: {output.weak}", style="bold yellow")
        if output.failures and output.likeness:
            yield Text(f"  {output.likeness}")
    if bisection.overflow:
        yield Text(f"the first value that is not finite: {bisection.overflow}", style="bold red")


def headline(finding: Finding) -> str:
    """``layer1.0.bn1 (BatchNorm2d) computes something else: its inputs agree to 1e-06, its output differs by 0.3``."""
    row = finding.row
    name = f"{row.name}" if row.path else "the model's output"
    got = "it has no inputs to compare" if row.inputs is None else f"its inputs agree to {row.inputs:.1e}"
    if row.unlike:
        way = "layout" if row.verdict is Verdict.LAYOUT else "shape"
        return f"{name}: {got if row.inputs else 'its inputs agree'}, its output has another {way}: {row.unlike}"
    gave = "is not finite" if row.outputs == float("inf") else f"differs by {row.outputs or 0:.1e}"
    return f"{row.name} ({row.kind}) {row.verdict}: {got}, its output {gave}"


def remarks(bisection: BisectionResult) -> Iterator[str]:
    """What else there is to know."""
    yield from bisection.notes
    yield from (f"{text}, without effect on these inputs" for text in bisection.harmless)
    for finding in bisection.findings:
        if finding.row.note:
            yield f"{finding.row.name}: {finding.row.note}"


def shown(bisection: BisectionResult) -> list[int]:
    """The places of the rows around the first named module; without one, of those with the largest errors."""
    rows = bisection.rows
    places = range(len(rows))
    if bisection.findings:
        place = rows.index(bisection.findings[0].row)
        return list(places[max(0, place - AROUND) : place + AROUND + 1])
    return sorted(sorted(places, key=lambda place: rows[place].outputs or 0.0)[-2 * AROUND - 1 :])


def table(bisection: BisectionResult) -> Table:
    """Calls of modules with their errors, what they may be, and the verdicts; "..." stands for those left out."""
    rows, places = bisection.rows, shown(bisection)
    made = Table(title=f"{counted(len(rows), 'call')} of modules, in order; relative L2")
    has_floats = quantized(bisection)
    for name in columns(bisection):
        made.add_column(name, justify="right" if name in (*COLUMNS[2:6], IN_FLOATS) else "left", overflow="fold")
    for before, place in zip([-1, *places], [*places, len(rows)], strict=True):
        if place - before > 1:
            made.add_row("...", f"{place - before - 1:,} more")
        if place < len(rows):
            row = rows[place]
            made.add_row(
                *(Text(cell) for cell in cells(row, in_floats=has_floats)),
                style="bold red" if row.verdict in NAMED else "",
            )
    return made


def quantized(bisection: BisectionResult) -> bool:
    """Whether there are errors without quantization."""
    return any(row.in_floats is not None for row in bisection.rows)


def columns(bisection: BisectionResult) -> tuple[str, ...]:
    """The names of the columns, one more for a quantized network."""
    return (*COLUMNS[:4], *([IN_FLOATS] if quantized(bisection) else []), *COLUMNS[4:])


def cells(row: Row, *, in_floats: bool) -> tuple[str, ...]:
    """A row of the table; an error that is not known is "-". in_floats: with the error without quantization."""
    errors = row.inputs, row.outputs, *([row.in_floats] if in_floats else []), row.budget, row.alone
    return row.name, row.kind, *("-" if x is None else f"{x:.1e}" for x in errors), str(row.verdict)
