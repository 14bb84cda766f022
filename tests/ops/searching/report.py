"""All reports of a search, and how they are printed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ops.searching.case import Case
from ops.searching.outcomes import ACCEPTED, ALONE, OUTCOMES, Outcome
from ops.searching.reproducer import reproducer
from ops.searching.table import TABLE
from rich.console import Console
from rich.table import Table


@dataclass
class Report:
    """What came of the cases of a row: counts by outcome, the messages of refusals, and findings with their cases."""

    op: str
    counts: Counter[str] = field(default_factory=Counter)
    messages: Counter[tuple[str, str]] = field(default_factory=Counter)
    findings: dict[str, tuple[Case, Outcome]] = field(default_factory=dict)

    def add(self, found: Outcome) -> None:
        """Counts one case."""
        self.counts[found.kind] += 1
        if found.kind in (ALONE, ACCEPTED):
            self.messages[found.kind, found.key] += 1


class Reports(dict[str, Report]):
    """The reports by row."""

    def add(self, report: Report) -> int:
        """Adds what one turn of a row found; returns how many cases that were."""
        mine = self.setdefault(report.op, Report(report.op))
        mine.counts += report.counts
        mine.messages += report.messages
        for key, finding in report.findings.items():
            mine.findings.setdefault(key, finding)
        return sum(report.counts.values())

    def known(self, op: str) -> tuple[str, ...]:
        """The keys of what was found in a row."""
        return tuple(self[op].findings) if op in self else ()

    @property
    def found(self) -> int:
        """How many different findings there are."""
        return sum(len(report.findings) for report in self.values())


def print_report(reports: Reports, console: Console, *, refusals: bool = False) -> None:
    """The findings, then the table of outcomes; the refusals before both, if asked for."""
    if refusals:
        for op, report in reports.items():
            for (kind, key), count in report.messages.most_common():
                console.print(f"{count:6} {op}: {key if key.startswith(kind) else f'{kind}: {key}'}", markup=False)
    for report in reports.values():
        for case, found in report.findings.values():
            console.rule(f"{report.op}: {found.kind}")
            console.print(reproducer(case, found), markup=False, highlight=False, soft_wrap=True)
    console.print(_table(reports))


def _table(reports: Reports) -> Table:
    table = Table(title=f"{len(reports)} operations and layers", title_justify="left")
    for name in ("family", "rows", *OUTCOMES, "cases", "findings"):
        table.add_column(name, justify="left" if name == "family" else "right")
    families: dict[str, list[Report]] = {}
    for op, report in reports.items():
        families.setdefault(TABLE[op].family, []).append(report)
    for family, members in (*families.items(), ("all", list(reports.values()))):
        counts = sum((report.counts for report in members), Counter[str]())
        numbers = (
            len(members),
            *(counts[kind] for kind in OUTCOMES),
            counts.total(),
            sum(len(r.findings) for r in members),
        )
        table.add_row(family, *map(str, numbers), end_section=family == list(families)[-1])
    return table


def as_json(reports: Reports) -> dict[str, Any]:
    """All of it as JSON."""
    return {
        op: {
            "counts": report.counts,
            "messages": [[count, key] for (_, key), count in report.messages.most_common()],
            "findings": [
                {
                    "key": key,
                    "where": found.where,
                    "detail": found.detail,
                    "case": case.data(),
                    "program": reproducer(case, found),
                }
                for key, (case, found) in report.findings.items()
            ],
        }
        for op, report in reports.items()
    }
