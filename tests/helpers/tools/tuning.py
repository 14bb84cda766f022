"""A GPU for the search that is made of numbers: what forms take, how exact they are, how long builds last."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from trtnet.tools.tune.searching.contests import NO_TIME, WHOLE, Contest, Group, Measured, Outcome, Variant


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def group(name: str, milliseconds: float, *forms: str, cut: bool = True) -> Group:
    """One of a kind that is the name before the colon."""
    return Group(name, name.partition(":")[0], (name,), milliseconds, forms, (name,) if cut else ())


@dataclass
class Gpu:
    """Measures contests out of tables. Each build takes a second of the clock; it stops where the time is over.

    gains: milliseconds that a form of a group saves of the 1 that small networks take, and of the 10 of the whole one.
    whole_gains: of the whole one, where they are others. errors: times the neutral form's. noise: of each sample.
    """

    gains: Mapping[tuple[str, str], float] = field(default_factory=dict)
    whole_gains: Mapping[tuple[str, str], float] = field(default_factory=dict)
    errors: Mapping[tuple[str, str], float] = field(default_factory=dict)
    broken: Mapping[tuple[str, str], str] = field(default_factory=dict)
    noise: float = 0.0
    clock: Clock = field(default_factory=Clock)
    until: float = float("inf")
    rounds: int = 25
    asked: list[Contest] = field(default_factory=list)
    built: set[tuple[str, Variant]] = field(default_factory=set)
    seed: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def measure(self, contests: Sequence[Contest]) -> Iterator[tuple[Contest, Outcome]]:
        for contest in contests:
            self.asked.append(contest)
            for variant in contest.variants:
                if (contest.where, variant) not in self.built and self.clock.now + 1 <= self.until:
                    self.clock.now += 1
                    self.built.add((contest.where, variant))
        for contest in contests:
            known = [(contest.where, variant) in self.built for variant in contest.variants]
            if known[0] and any(known[1:]):
                drift = [1 + self.noise * self._random.gauss(0, 3) for _ in range(self.rounds)]
                yield contest, tuple(self._measured(contest.where, variant, drift) for variant in contest.variants)

    def _measured(self, where: str, variant: Variant, drift: Sequence[float]) -> Measured:
        if (where, variant) not in self.built:
            return Measured(failed=NO_TIME)
        failed = next((self.broken[pair] for pair in variant if pair in self.broken), "")
        if failed:
            return Measured(failed=failed)
        gains = {**self.gains, **self.whole_gains} if where == WHOLE else self.gains
        time = (10 if where == WHOLE else 1) - sum(gains.get(pair, 0.0) for pair in variant)
        error = 1e-3
        for pair in variant:
            error *= self.errors.get(pair, 1.0)
        return Measured(tuple(time * each * (1 + self.noise * self._random.gauss(0, 1)) for each in drift), error)
