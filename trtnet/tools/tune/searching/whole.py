"""The whole network, which decides: the best so far, and what differs from it in a kind of operation or in a group."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from trtnet.tools.tune.searching.budget import Budget
from trtnet.tools.tune.searching.changes import Candidates, Change
from trtnet.tools.tune.searching.contests import NEUTRAL, NO_TIME, WHOLE, Contest, Measured, Measurer, Variant, judge

PASSES = 4
"""How often the whole network is measured with changes of kinds, at most."""
EVERYWHERE = 48
"""So many forms of whole kinds are measured, of the kinds that take most."""
SINGLE = 24
"""So many changes of single groups are measured, of the groups that take most."""
TOGETHER = 12
"""So many changes take turns in one contest."""


@dataclass(frozen=True)
class Found:
    """The forms that won, and how they and the neutral ones did in turns; None if no others were measured.

    unfinished: what time was too short for, "" if nothing was left.
    """

    variant: Variant
    neutral: Measured | None = None
    tuned: Measured | None = None
    unfinished: str = ""


class Whole:
    """First what small networks said, in passes; then forms for whole kinds that were no faster there; then changes of
    single groups, which together must be faster again."""

    def __init__(self, candidates: Candidates, measurer: Measurer, budget: Budget, told: Callable[[str], None]) -> None:
        self._candidates, self._measurer, self._budget, self._told = candidates, measurer, budget, told
        self._known: dict[Variant, tuple[Measured, Measured]] = {}
        self.unfinished = ""

    def run(self) -> Found:
        if not self._candidates:
            return Found(NEUTRAL)
        current = self._passes(self._candidates.first())
        better = self._everywhere(current)
        if better != current:
            current = self._passes(better)
        self._singly(current)
        return self._best()

    def _passes(self, current: Variant) -> Variant:
        """Groups without a small network join one by one: what they do alone is not known."""
        seen = set[Variant]()
        while current not in seen and len(seen) < PASSES:
            seen.add(current)
            changes = (*self._candidates.removals(current), *self._candidates.additions(current))
            variants = [self._with(current, each) for each in changes]
            found = self._in_turns(current, variants, "another pass over the whole network")
            if not found:
                break
            self._keep(found)
            self._told(f"the whole network: {judge(found[current], found[NEUTRAL]).ratio:.3f} of the neutral time")
            current = self._improved(current, found)
        return current

    def _in_turns(self, current: Variant, variants: Iterable[Variant], what: str) -> dict[Variant, Measured]:
        """What variants take, in turns with the neutral forms and the best so far; nothing if time is over."""
        contest = Contest(WHOLE, tuple(dict.fromkeys((NEUTRAL, current, *variants))))
        if contest.variants == (NEUTRAL,):
            return {}
        if self._budget.left() <= 0:
            return self._late(what if self._known else "the whole network")
        outcomes = [outcome for _, outcome in self._measurer.measure([contest])]
        if not outcomes:
            return self._late("the whole network")
        found = dict(zip(contest.variants, outcomes[0], strict=True))
        self._keep({NEUTRAL: found[NEUTRAL], current: found[current]})
        if any(each.failed == NO_TIME for each in found.values()):
            self._late("all variants of the whole network")
        return found

    def _late(self, what: str) -> dict[Variant, Measured]:
        """Says what time was too short for first."""
        self.unfinished = self.unfinished or f"no time for {what}"
        return {}

    def _keep(self, found: Mapping[Variant, Measured]) -> None:
        self._known |= {variant: (found[NEUTRAL], each) for variant, each in found.items()}

    def _improved(self, current: Variant, found: Mapping[Variant, Measured]) -> Variant:
        """What the changes say together."""
        neutral, candidates = found[NEUTRAL], self._candidates
        if not judge(found[current], neutral).is_accurate:
            return self._repaired(current, found)
        without = {each: found[self._with(current, each)] for each in candidates.removals(current)}
        useless = [
            each
            for each, rest in without.items()
            if not rest.failed and not judge(found[current], rest, neutral).is_faster
        ]
        helped = self._faster(current, candidates.additions(current), found)
        return candidates.changed(current, [*useless, *_fastest_last(helped)])

    def _repaired(self, current: Variant, found: Mapping[Variant, Measured]) -> Variant:
        """Of a variant that does not build, or is too far off: without one kind, the fastest that is accurate.

        Or that with the smallest error, if none is.
        """
        neutral = found[NEUTRAL]
        without = [self._with(current, each) for each in self._candidates.removals(current)]
        rest = [variant for variant in without if not found[variant].failed]
        accurate = [variant for variant in rest if judge(found[variant], neutral).is_accurate]
        if accurate:
            return min(accurate, key=lambda variant: judge(found[variant], neutral).ratio)
        return min(rest, key=lambda variant: found[variant].error, default=NEUTRAL)

    def _everywhere(self, current: Variant) -> Variant:
        """With the forms that help a kind, if the rest of the kind has neutral ones."""
        changes = self._candidates.everywhere(current)[:EVERYWHERE]
        return self._candidates.changed(current, self._helpful(current, changes, "forms of whole kinds"))

    def _singly(self, current: Variant) -> None:
        """Of a kind, some groups may lose what others gain. What helped must help all together, in turns again."""
        changes, what = self._candidates.single(current)[:SINGLE], "single groups in the whole network"
        better = self._candidates.changed(current, self._helpful(current, changes, what))
        found = self._in_turns(current, [better], what) if better != current else {}
        if found and judge(found[better], found[current], found[NEUTRAL]).is_faster:
            self._keep(found)

    def _helpful(self, current: Variant, changes: Sequence[Change], what: str) -> list[Change]:
        """The changes that are faster, the fastest last."""
        helped: list[tuple[float, Change]] = []
        for some in (changes[start : start + TOGETHER] for start in range(0, len(changes), TOGETHER)):
            found = self._in_turns(current, [self._with(current, each) for each in some], what)
            helped += self._faster(current, some, found) if found else ()
        return _fastest_last(helped)

    def _faster(
        self, current: Variant, changes: Iterable[Change], found: Mapping[Variant, Measured]
    ) -> list[tuple[float, Change]]:
        """The changes that are faster than the best so far, with their times over its."""
        verdicts = [(judge(found[self._with(current, each)], found[current], found[NEUTRAL]), each) for each in changes]
        return [(verdict.ratio, each) for verdict, each in verdicts if verdict.is_faster]

    def _with(self, current: Variant, change: Change) -> Variant:
        return self._candidates.changed(current, [change])

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


def _fastest_last(helped: Iterable[tuple[float, Change]]) -> list[Change]:
    """Changes by their times, so that the fastest has the last word."""
    return [change for _, change in sorted(helped, key=lambda one: -one[0])]
