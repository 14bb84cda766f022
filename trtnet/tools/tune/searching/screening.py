"""The forms of groups in small networks: which of them are worth a try in the whole one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from trtnet.tools.tune.searching.budget import Budget
from trtnet.tools.tune.searching.contests import NEUTRAL, Contest, Group, Measured, Measurer, Variant, judge

RESERVED = 0.4
"""The share of the time in which no small network is tried: it is for the whole one."""
MOST_RESERVED = 600.0
"""Seconds of it, at most."""


class Screening:
    """The forms of groups in small networks.

    ranked: those that were faster than the neutral form, the fastest first. usable: all that are as accurate, likewise.
    """

    def __init__(self, measurer: Measurer, budget: Budget, told: Callable[[str], None]) -> None:
        self._measurer, self._budget, self._told = measurer, budget, told
        self.ranked: dict[str, list[str]] = {}
        self.usable: dict[str, list[str]] = {}
        self.unfinished = ""

    def run(self, groups: Sequence[Group], width: int) -> None:
        """Groups that cannot be cut out are tried in the whole network with all their forms."""
        cut = [group for group in groups if group.part]
        left = {group.name: group for group in cut}
        reserved = min(RESERVED * self._budget.left(), MOST_RESERVED)
        for some in _rounds(cut, width):
            if self._budget.left() <= reserved:
                break
            contests = [Contest(group.name, variants_of(group)) for group in some]
            for contest, outcome in self._measurer.measure(contests):
                group = left.pop(contest.where)
                self._rank(group, outcome)
                self._told(f"{group.name}: {', '.join(self.ranked[group.name]) or 'the neutral form'}")
        for group in groups:
            if not group.part:
                self._know_nothing(group)
        if left:
            self.unfinished = f"no time for {len(left)} of {len(groups)} groups: {', '.join(left)}"

    def _rank(self, group: Group, outcome: Sequence[Measured]) -> None:
        neutral, *others = outcome
        if neutral.failed:  # the small network does not build
            self._know_nothing(group)
            return
        judged = [(judge(each, neutral), form) for each, form in zip(others, group.forms, strict=True)]
        accurate = sorted((verdict.ratio, form) for verdict, form in judged if verdict.is_accurate)
        faster = {form for verdict, form in judged if verdict.is_faster}
        self.usable[group.name] = [form for _, form in accurate]
        self.ranked[group.name] = [form for _, form in accurate if form in faster]

    def _know_nothing(self, group: Group) -> None:
        """The whole network tells."""
        self.ranked[group.name] = self.usable[group.name] = list(group.forms)


def variants_of(group: Group) -> tuple[Variant, ...]:
    """The neutral form and the others of one group."""
    return (NEUTRAL, *(((group.name, form),) for form in group.forms))


def _rounds(groups: Sequence[Group], width: int) -> Iterator[list[Group]]:
    """Groups whose networks are built side by side: at least so many networks, but for the last."""
    some: list[Group] = []
    for group in groups:
        some.append(group)
        if sum(1 + len(each.forms) for each in some) >= width:
            yield some
            some = []
    if some:
        yield some
