"""How far results may be from those expected."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import prod
from numbers import Real
from sys import float_info

from trtnet.support import dtypes
from trtnet.support.errors import InputError
from trtnet.support.text.counted import counted
from trtnet.verify.metrics.array_metrics import Array, Metrics, measure, written
from trtnet.verify.metrics.worst_parts import FEWEST, parts


@dataclass(frozen=True)
class Tolerance:
    """What must hold for an output to pass; None asks for nothing.

    relative_l2: at most. cosine: at least. atol, rtol: every element has an error of at most atol, or of at most rtol
    relative to the expected value; where only one is given the other is 0. margin: the largest value of a row must be
    at the same place wherever it is ahead of the second by this much in the expected scores (the same top-1, the same
    token). element, sample: what a single element and a single entry of axis 0 may be off by, relative to their sizes
    (see ``Parts``): one wrong row among thousands is hidden by the relative L2 of all. channel: the same of a single
    entry of axis 1 or of the last axis, such as scores beside boxes in pixels. Where a value fills masked places,
    `sample` also holds for all values beside it.
    A value that is not finite fails in any case, unless the same infinity was expected at that place; so do integers
    and bools that are not equal, if nothing else is asked of them.
    Raises InputError for what is no tolerance: no number, NaN, an infinity, less than 0, a cosine outside of [-1, 1].
    """

    relative_l2: float | None = None
    cosine: float | None = None
    atol: float | None = None
    rtol: float | None = None
    margin: float | None = None
    element: float | None = None
    sample: float | None = None
    channel: float | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            least, most = (-1, 1) if name == "cosine" else (0, float_info.max)
            is_number = isinstance(value, Real) and not isinstance(value, bool)
            if value is not None and not (is_number and least <= value <= most):
                wanted = "between -1 and 1" if name == "cosine" else "a finite number of at least 0"
                raise InputError(f"the tolerance {name} is {wanted}; found {value!r}")

    @property
    def elementwise(self) -> bool:
        return self.atol is not None or self.rtol is not None

    @property
    def asks_margin_alone(self) -> bool:
        return self.margin is not None and self == Tolerance(margin=self.margin)

    def measure(self, found: Array, expected: Array) -> Metrics:
        """What is to be known of two arrays to say whether they pass."""
        metrics = measure(found, expected, atol=self.atol or 0.0, rtol=self.rtol or 0.0, margin=self.margin or 0.0)
        wanted = metrics.same_shape and any(x is not None for x in (self.element, self.sample, self.channel))
        return replace(metrics, parts=parts(found, expected)) if wanted else metrics

    def failures(self, metrics: Metrics) -> tuple[str, ...]:
        """Why an output does not pass, each in a phrase; nothing if it does."""
        if not metrics.same_shape:
            return (f"shape {list(metrics.shape)}, expected {list(metrics.expected_shape)}",)
        not_finite = tuple(_not_finite(metrics))
        whole = tuple(self._whole(metrics))
        hidden = () if whole else self._parts(metrics)
        found = not_finite or (*whole, *self._elements(metrics), *hidden, *self._choices(metrics))
        return found or self._unmeasured(metrics)

    def _unmeasured(self, metrics: Metrics) -> tuple[str, ...]:
        """That nothing of what was asked for can be measured in an array that has values."""
        asked = {name for name, value in vars(self).items() if value is not None}
        worst = metrics.parts
        known = {
            "sample": worst is not None and (worst.sample, worst.beside) != (None, None),
            "channel": worst is not None and worst.channel is not None,
            "margin": metrics.ranking is not None,
        }
        if not asked or any(known.get(name, True) for name in asked) or not prod(metrics.shape):
            return ()
        lacking = " and no ".join(_ENTRIES[name] for name in sorted(asked))
        return (f"nothing is compared: {list(metrics.shape)} has no {lacking}",)

    def _whole(self, metrics: Metrics) -> Iterable[str]:
        if self.relative_l2 is not None and not metrics.relative_l2 <= self.relative_l2:
            yield f"relative L2 {metrics.relative_l2:.3g} > {self.relative_l2:g}"
        if self.cosine is not None and not metrics.cosine >= self.cosine:
            yield f"cosine {metrics.cosine:.8g} < {self.cosine:g}"

    def _elements(self, metrics: Metrics) -> Iterable[str]:
        if self.elementwise and metrics.outside:
            yield (
                f"{counted(metrics.outside, 'element')} outside atol={self.atol or 0:g}, rtol={self.rtol or 0:g};"
                f" it passes with that atol and rtol={metrics.rtol_needed:.3g}, or that rtol and"
                f" atol={metrics.atol_needed:.3g}"
            )
        if self == EXACT and metrics.different:
            yield f"{counted(metrics.different, 'element differs', 'elements differ')}"

    def _parts(self, metrics: Metrics) -> Iterable[str]:
        """What the whole hides."""
        worst = metrics.parts
        if worst and self.element is not None and not worst.element <= self.element:
            yield (
                f"element {list(worst.index)} is off by {worst.element:.3g} > {self.element:g} of its size, of its"
                f" row's and of the whole's"
            )
        if worst and worst.sample is not None and self.sample is not None and not worst.sample <= self.sample:
            yield f"entry {worst.number} of axis 0 by itself: relative L2 {worst.sample:.3g} > {self.sample:g}"
        if worst and worst.channel is not None and self.channel is not None and not worst.channel <= self.channel:
            where = f"entry {worst.place} of axis {worst.axis}"
            yield f"{where} by itself: relative L2 {worst.channel:.3g} > {self.channel:g}"
        if worst and self.sample is not None and worst.beside is not None and not worst.beside <= self.sample:
            yield f"beside the places filled with {worst.fill:.5g}: relative L2 {worst.beside:.3g} > {self.sample:g}"

    def _choices(self, metrics: Metrics) -> Iterable[str]:
        ranking = metrics.ranking
        if self.margin is not None and ranking is not None and ranking.token < 1:
            wrong = round((1 - ranking.token) * ranking.decided)
            yield f"another largest value in {wrong:,} of the {ranking.decided:,} rows with a margin of {self.margin:g}"
        if self.asks_margin_alone and ranking is not None and not ranking.decided:
            yield f"nothing is compared: none of the {counted(ranking.rows, 'row')} has a margin of {self.margin:g}"


_ENTRIES = {
    "sample": "samples beside each other along axis 0",
    "channel": f"channels of {FEWEST} values",
    "margin": "rows of scores",
}
"""What an array must have for something to be measured."""

EXACT = Tolerance()
"""Every element equal: what integers and bools are held to."""

ELEMENT = 10
"""How many times the relative L2 an element may be off by: of a million Gaussian errors the largest is five times."""
SAMPLE = 4
"""The same of one entry of axis 0."""
CHANNEL = 10
"""The same of one channel: of those that are computed from the same values, small ones have the others' rounding."""


def _whole(relative_l2: float, cosine: float | None = None) -> Tolerance:
    return Tolerance(
        relative_l2, cosine, element=ELEMENT * relative_l2, sample=SAMPLE * relative_l2, channel=CHANNEL * relative_l2
    )


TOLERANCES: dict[str, Tolerance] = {
    "float64": _whole(1e-5),  # computed in float32 at best
    "float32": _whole(1e-5),
    "float16": _whole(1e-2, 0.9999),
    "bfloat16": _whole(5e-2, 0.999),  # eight times coarser than float16
    "float8_e4m3fn": _whole(1e-1, 0.99),
    "float8_e5m2": _whole(2e-1, 0.98),
    # of quantized weights and inputs
    "int8": _whole(1e-1, 0.99),
    "int4": _whole(3e-1, 0.95),
    "float4_e2m1fn": _whole(3e-1, 0.95),
}
"""What a whole model's output passes with, by the coarsest dtype that it was defined in (docs/design.md)."""


ON_A_GPU = TOLERANCES | {"float32": _whole(1e-4), "float64": _whole(1e-4)}
"""The same where an engine computed it: its kernels add up in an order of their own."""


def tolerance_for(output: str, computed: Iterable[str] = (), *, on_a_gpu: bool = False) -> Tolerance:
    """The table's tolerance for an output of a dtype.

    computed: dtypes in which models computed it, or to which they are quantized; the coarsest decides. on_a_gpu:
    whether an engine did. Integers and bools are exact.
    Raises DTypeError for an unknown dtype.
    """
    if not dtypes.get(output).is_floating:
        return EXACT
    table = ON_A_GPU if on_a_gpu else TOLERANCES
    return max((table[name] for name in (output, *computed) if name in table), key=_looseness, default=EXACT)


def _looseness(tolerance: Tolerance) -> float:
    return tolerance.relative_l2 or 0.0


def _not_finite(metrics: Metrics) -> Iterable[str]:
    if metrics.max_abs < float("inf"):
        return
    for counts, where in ((metrics.nonfinite, ""), (metrics.expected_nonfinite, " expected")):
        if counts.nan or counts.inf:
            yield f"{counts.nan:,} NaN and {counted(counts.inf, 'infinite value')}{where}"


def smallest_passing(metrics: Metrics) -> str:
    """In words, the smallest tolerances with which it would pass, any one of them alone."""
    if metrics.different == 0:
        return "equal"
    if metrics.max_abs == float("inf"):
        return "no tolerance would pass it"
    atol, rtol = written(metrics.max_abs, ".3g"), f"{metrics.max_rel:.3g}"
    return f"passes with atol={atol} or rtol={rtol}; relative_l2={metrics.relative_l2:.3g}"
