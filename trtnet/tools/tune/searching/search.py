"""The search: each group's forms in a small network, then what helped there in the whole one, which decides."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from trtnet.tools.tune.searching.budget import Budget
from trtnet.tools.tune.searching.contests import (
    NEUTRAL,
    NO_TIME,
    WHOLE,
    Contest,
    Group,
    Measured,
    Measurer,
    Variant,
    judge,
)

SCREENING = 0.6
"""The share of the time after which no further small network is tried: the rest is for the whole one."""
PASSES = 4
"""How often the whole network is measured, at most."""


@dataclass(frozen=True)
class Found:
    """The forms that won, and how they and the neutral ones did in turns; None if no others were measured.

    unfinished: what time was too short for, "" if nothing was left.
    """

    variant: Variant
    neutral: Measured | None = None
    tuned: Measured | None = None
    unfinished: str = ""


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
    turns with the rest. Of what is as fast as the fastest, within the spread, the variant with the fewest forms wins.
    """
    ordered = sorted(groups, key=lambda group: -group.milliseconds)
    screening = Screening(measurer, budget, told)
    screening.run(ordered, width)
    final = Final(ordered, screening.ranked, measurer, budget, told)
    found = final.run()
    return replace(found, unfinished="; ".join(filter(None, (screening.unfinished, final.unfinished))))


class Screening:
    """The forms of groups in small networks. ranked: those worth a try in the whole network, the fastest first."""

    def __init__(self, measurer: Measurer, budget: Budget, told: Callable[[str], None]) -> None:
        self._measurer, self._budget, self._told = measurer, budget, told
        self.ranked: dict[str, list[str]] = {}
        self.unfinished = ""

    def run(self, groups: Sequence[Group], width: int) -> None:
        """Groups that cannot be cut out are tried in the whole network with all their forms."""
        cut = [group for group in groups if group.part]
        left = {group.name: group for group in cut}
        for some in _rounds(cut, width):
            if self._budget.left(SCREENING) <= 0:
                break
            contests = [Contest(group.name, variants_of(group)) for group in some]
            for contest, outcome in self._measurer.measure(contests):
                group = left.pop(contest.where)
                self._rank(group, outcome)
                self._told(f"{group.name}: {', '.join(self.ranked[group.name]) or 'the neutral form'}")
        self.ranked |= {group.name: list(group.forms) for group in groups if not group.part}
        if left:
            self.unfinished = f"no time for {len(left)} of {len(groups)} groups: {', '.join(left)}"

    def _rank(self, group: Group, outcome: Sequence[Measured]) -> None:
        neutral, *others = outcome
        if neutral.failed:  # the small network does not build: nothing is known of the group
            self.ranked[group.name] = list(group.forms)
            return
        verdicts = [(judge(each, neutral), form) for each, form in zip(others, group.forms, strict=True)]
        faster = sorted((verdict.ratio, form) for verdict, form in verdicts if verdict.is_faster)
        self.ranked[group.name] = [form for _, form in faster]


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


class Final:
    """The whole network, in passes: the best so far, and what differs from it in one kind of operation."""

    def __init__(
        self,
        groups: Sequence[Group],
        ranked: Mapping[str, Sequence[str]],
        measurer: Measurer,
        budget: Budget,
        told: Callable[[str], None],
    ) -> None:
        self._groups = [group for group in groups if ranked.get(group.name)]
        self._ranked, self._measurer, self._budget, self._told = ranked, measurer, budget, told
        self._known: dict[Variant, tuple[Measured, Measured]] = {}
        self.unfinished = ""

    def run(self) -> Found:
        """Those without a small network join one by one: what they do alone is not known."""
        if not self._groups:
            return Found(NEUTRAL)
        current = self._variant({group.name: self._ranked[group.name][0] for group in self._groups if group.part})
        for _ in range(PASSES):
            if self._budget.left() <= 0:
                self.unfinished = "no time for another pass over the whole network"
                break
            variants = tuple(dict.fromkeys((NEUTRAL, current, *self._changes(current))))
            outcomes = [outcome for _, outcome in self._measurer.measure([Contest(WHOLE, variants)])]
            if not outcomes:
                self.unfinished = "no time for the whole network"
                break
            found = dict(zip(variants, outcomes[0], strict=True))
            self._known |= {variant: (found[NEUTRAL], found[variant]) for variant in variants}
            if any(each.failed == NO_TIME for each in found.values()):
                self.unfinished = "no time for all variants of the whole network"
            better = self._improved(current, found)
            self._told(f"the whole network: {judge(found[current], found[NEUTRAL]).ratio:.3f} of the neutral time")
            if better == current or better in self._known:
                break
            current = better
        return self._best()

    def _best(self) -> Found:
        """The simplest of the variants that are as fast as the fastest."""
        verdicts = {variant: judge(found, neutral) for variant, (neutral, found) in self._known.items()}
        faster = {variant: verdict for variant, verdict in verdicts.items() if verdict.is_faster}
        if not faster:
            neutral = next(iter(self._known.values()), (None, None))[0]
            return Found(NEUTRAL, neutral, neutral)
        first = min(faster.values(), key=lambda verdict: verdict.ratio)
        near = [variant for variant, verdict in faster.items() if verdict.ratio <= first.ratio + first.spread]
        best = min(near, key=lambda variant: (len(variant), faster[variant].ratio))
        return Found(best, *self._known[best])

    def _improved(self, current: Variant, found: Mapping[Variant, Measured]) -> Variant:
        """What the changes say together."""
        neutral = found[NEUTRAL]
        if not judge(found[current], neutral).is_accurate:
            return self._repaired(current, found)
        forms = dict(current)
        for kind in self._kinds(current):
            without = self._without(current, kind)
            if without in found and not judge(found[current], found[without], neutral).is_faster:
                forms = {name: form for name, form in forms.items() if self._kind(name) != kind}
        changes = [(judge(found[each], found[current], neutral), each) for each in self._additions(current)]
        for verdict, change in sorted(changes, key=lambda change: -change[0].ratio):  # the fastest has the last word
            if verdict.is_faster:
                forms |= dict(set(change) - set(current))
        return self._variant(forms)

    def _repaired(self, current: Variant, found: Mapping[Variant, Measured]) -> Variant:
        """Of a variant that does not build, or is too far off: without the kind that costs most."""
        rest = [each for kind in self._kinds(current) if not found[each := self._without(current, kind)].failed]
        return min(rest, key=lambda variant: found[variant].error, default=NEUTRAL)

    def _changes(self, current: Variant) -> Iterator[Variant]:
        yield from (self._without(current, kind) for kind in self._kinds(current))
        yield from self._additions(current)

    def _additions(self, current: Variant) -> list[Variant]:
        return [*self._swaps(current), *self._joined(current)]

    def _swaps(self, current: Variant) -> list[Variant]:
        """A kind's groups with the form that was second in their small networks."""
        made = []
        for kind in self._kinds(current):
            second = {name: self._ranked[name][1] for name, _ in current if self._second(name, kind)}
            if second:
                made.append(self._variant(dict(current) | second))
        return made

    def _second(self, name: str, kind: str) -> bool:
        return self._kind(name) == kind and len(self._ranked[name]) > 1

    def _joined(self, current: Variant) -> list[Variant]:
        """With a form of a group that has no small network."""
        return [
            self._variant(dict(current) | {group.name: form})
            for group in self._groups
            if not group.part and group.name not in dict(current)
            for form in self._ranked[group.name]
        ]

    def _without(self, current: Variant, kind: str) -> Variant:
        return tuple(pair for pair in current if self._kind(pair[0]) != kind)

    def _kinds(self, current: Variant) -> list[str]:
        return list(dict.fromkeys(self._kind(name) for name, _ in current))

    def _kind(self, name: str) -> str:
        return next(group.kind for group in self._groups if group.name == name)

    def _variant(self, forms: Mapping[str, str]) -> Variant:
        return tuple((group.name, forms[group.name]) for group in self._groups if group.name in forms)
