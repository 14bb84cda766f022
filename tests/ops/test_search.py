"""The search's fixed part: some cases of every row of its table, by torch and by trtnet (see search.py)."""

from __future__ import annotations

import pytest
from ops.searching.families import TABLE
from ops.searching.hunting import hunt
from ops.searching.known import KNOWN
from ops.searching.reproducer import reproducer

CASES, SEED = 12, 16


@pytest.mark.parametrize(
    "op",
    [
        pytest.param(op, marks=pytest.mark.xfail(strict=True, reason=KNOWN[op])) if op in KNOWN else op
        for op in sorted(TABLE, key=lambda op: TABLE[op].family)
    ],
)
def test_nothing_differs_or_crashes(op: str) -> None:
    findings = hunt(op, CASES, SEED).findings
    assert not findings, "\n\n".join(reproducer(case, found) for case, found in findings.values())
