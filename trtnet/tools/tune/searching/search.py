"""The search: each group's forms in a small network, then what helped there in the whole one, which decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from trtnet.tools.tune.searching.budget import Budget
from trtnet.tools.tune.searching.changes import Candidates
from trtnet.tools.tune.searching.contests import Group, Measurer
from trtnet.tools.tune.searching.screening import Screening
from trtnet.tools.tune.searching.whole import Found, Whole


def search(
    groups: Sequence[Group],
    measurer: Measurer,
    budget: Budget,
    width: int = 1,
    told: Callable[[str], None] = lambda text: None,
) -> Found:
    """The fastest forms, group by group in the order of the time they take. width: builds side by side.

    Each form of a group is timed in its small network first; those that are faster than the neutral one and as accurate
    go on to the whole network, all together. There each kind of them is taken out again, or given its second form, in
    turns with the rest. Then forms that were no faster in small networks are tried for whole kinds, and changes of
    single groups. Of what is as fast as the fastest, within the spread, the variant with the fewest forms wins.
    """
    ordered = sorted(groups, key=lambda group: -group.milliseconds)
    screening = Screening(measurer, budget, told)
    screening.run(ordered, width)
    whole = Whole(Candidates(ordered, screening.ranked, screening.usable), measurer, budget, told)
    found = whole.run()
    return replace(found, unfinished="; ".join(filter(None, (screening.unfinished, whole.unfinished))))
