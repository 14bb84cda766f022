"""Hypothesis in a loop: cases of a row until something is found, minimized, set aside, and on."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable

import hypothesis
import torch
from hypothesis import HealthCheck, Phase, Verbosity, strategies as st
from ops.searching.case import Case
from ops.searching.outcomes import FAULTS, Outcome, outcome
from ops.searching.report import Report
from ops.searching.table import TABLE

integers = functools.lru_cache(maxsize=None)(st.integers)


class Found(Exception):  # noqa: N818
    """A finding that hypothesis shall minimize."""


@st.composite
def cases_of(draw: st.DrawFn, op: str) -> Case:
    """Cases of a row of the table."""
    return TABLE[op].case(lambda low, high: draw(integers(low, high)))


def hunt(op: str, cases: int, seed: int, known: Iterable[str] = (), *, minimize: bool = True) -> Report:
    """Runs that many cases of a row. known: keys of findings not to minimize again; they are counted all the same."""
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    report, seen = Report(op), set(known)
    while (left := cases - sum(report.counts.values())) > 0:
        before = sum(report.counts.values())
        if not _one_search(report, seen, left, seed + before, minimize):
            break
    return report


def _one_search(report: Report, seen: set[str], cases: int, seed: int, minimize: bool) -> bool:
    """Whether something new was found."""
    target: list[str] = []
    last: list[tuple[Case, Outcome]] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=cases, database=None, deadline=None, report_multiple_bugs=False, verbosity=Verbosity.quiet,
        phases=(Phase.generate, *([Phase.shrink] if minimize else [])), suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @hypothesis.given(cases_of(report.op))
    def search(case: Case) -> None:
        found = outcome(case)
        if not target:
            report.add(found)
        if found.kind not in FAULTS or found.key in seen or (target and found.key != target[0]):
            return
        target[:] = [found.key]
        last[:] = [(case, found)]
        raise Found

    try:
        search()
    except Found:
        seen.add(target[0])
        report.findings[target[0]] = last[0]
        return True
    return False
