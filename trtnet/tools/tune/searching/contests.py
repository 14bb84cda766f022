"""What is compared: variants of a network or of a part of it, and who wins."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

Variant = tuple[tuple[str, str], ...]
"""(group, form) of the groups whose form is not the neutral one, in a fixed order."""
NEUTRAL: Variant = ()
WHOLE = ""
"""The place of a contest of whole networks."""
NO_TIME = "no time was left"
"""Why a variant of a contest was not measured, which another search may do."""
MOST_ERROR = 1.5
"""How many times the neutral form's error a form may have."""


@dataclass(frozen=True)
class Group:
    """Operations of one kind, in equal surroundings: they get one form.

    name: the kind and the first module. paths: of the modules that have them. milliseconds: what these take of the
    neutral network. forms: what may be tried. part: the paths of the modules that are cut out as a small network; none
    if it cannot be, and `uncut` says why.
    """

    name: str
    kind: str
    paths: tuple[str, ...]
    milliseconds: float
    forms: tuple[str, ...]
    part: tuple[str, ...] = ()
    uncut: str = ""


@dataclass(frozen=True)
class Contest:
    """Variants that are timed in turns. where: the group whose part it is, or WHOLE. The first one is the baseline."""

    where: str
    variants: tuple[Variant, ...]


@dataclass(frozen=True)
class Measured:
    """Of a variant: milliseconds, one a round, and relative L2 from float32; or why it could not be measured."""

    times: tuple[float, ...] = ()
    error: float = math.inf
    failed: str = ""

    @property
    def milliseconds(self) -> float:
        return statistics.median(self.times) if self.times else math.inf


Outcome = tuple[Measured, ...]
"""What was measured of a contest's variants, in their order."""


class Measurer(Protocol):
    """Builds and measures, in any order; contests that time was too short for are left out."""

    def measure(self, contests: Sequence[Contest]) -> Iterator[tuple[Contest, Outcome]]: ...


@dataclass(frozen=True)
class Verdict:
    """A variant beside a baseline that took turns with it.

    ratio: the median of its time over the baseline's in the same round. spread: half the distance of the quartiles.
    """

    ratio: float
    spread: float
    is_accurate: bool
    why: str = ""

    @property
    def is_faster(self) -> bool:
        """Beyond the spread."""
        return self.is_accurate and self.ratio + self.spread < 1

    @property
    def is_slower(self) -> bool:
        """Beyond the spread, or no use at all."""
        return not self.is_accurate or self.ratio - self.spread > 1


def judge(found: Measured, baseline: Measured, neutral: Measured | None = None) -> Verdict:
    """How a variant does beside a baseline. neutral: whose error counts, the baseline's without."""
    allowed = (baseline if neutral is None else neutral).error
    if found.failed or baseline.failed:
        return Verdict(math.inf, 0.0, False, found.failed or baseline.failed)
    ratios = sorted(a / b for a, b in zip(found.times, baseline.times, strict=True))
    ratio, spread = statistics.median(ratios), _spread(ratios)
    if not found.error <= MOST_ERROR * allowed < math.inf:  # NaN too
        why = f"its error is {found.error:.1e}, more than {MOST_ERROR} times the neutral form's {allowed:.1e}"
        return Verdict(ratio, spread, False, why)
    return Verdict(ratio, spread, True)


def _spread(ordered: Sequence[float]) -> float:
    if len(ordered) < 2:
        return 0.0
    low, _, high = statistics.quantiles(ordered, n=4, method="inclusive")
    return (high - low) / 2
