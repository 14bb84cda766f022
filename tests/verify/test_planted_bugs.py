"""Ten bugs in copies of real models: bisect names the module of each, says why, and accuses no other."""

from __future__ import annotations

import pytest
from helpers.verify.planted import BUGS, RIGHT

from trtnet.verify.bisection.bisect import bisect
from trtnet.verify.bisection.result import Verdict


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_model_has_nothing_to_name(name: str) -> None:
    right = RIGHT[name]()
    found = bisect(right.network(), right.original, right.inputs, original_inputs=right.original_inputs)
    assert found.module is None and not found.overflow
    assert found.rows[-1].verdict is Verdict.AGREES


@pytest.mark.parametrize("name", BUGS)
def test_the_module_with_the_bug_is_named(name: str) -> None:
    bug = BUGS[name]()
    found = bisect(bug.network(), bug.original, bug.inputs, original_inputs=bug.original_inputs)
    assert [finding.row.path for finding in found.findings] == [bug.module]
    assert any(bug.says in reason for reason in found.findings[0].reasons), found.findings[0].reasons
