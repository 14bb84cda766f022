"""How far results may be from those expected."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from sys import float_info

from trtnet import dtypes
from trtnet.errors import InputError
from trtnet.verify.metrics import Metrics, written


@dataclass(frozen=True)
class Tolerance:
    """What must hold for an output to pass; None asks for nothing.

    relative_l2: at most. cosine: at least. atol, rtol: every element has an error of at most atol, or of at most rtol
    relative to the expected value; where only one is given the other is 0. margin: the largest value of a row must be
    at the same place wherever it is ahead of the second by this much in the expected scores (the same top-1, the same
    token).
    A value that is not finite fails in any case, unless the same infinity was expected at that place; so do integers
    and bools that are not equal, if nothing else is asked of them.
    Raises InputError for what is no tolerance: NaN, an infinity, less than 0, a cosine outside of [-1, 1].
    """

    relative_l2: float | None = None
    cosine: float | None = None
    atol: float | None = None
    rtol: float | None = None
    margin: float | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            least, most = (-1, 1) if name == "cosine" else (0, float_info.max)
            if value is not None and not least <= value <= most:
                wanted = "between -1 and 1" if name == "cosine" else "a finite number of at least 0"
                raise InputError(f"the tolerance {name} is {wanted}; found {value}")

    @property
    def elementwise(self) -> bool:
        return self.atol is not None or self.rtol is not None

    def failures(self, metrics: Metrics) -> tuple[str, ...]:
        """Why an output does not pass, each in a phrase; nothing if it does."""
        if not metrics.same_shape:
            return (f"shape {list(metrics.shape)}, expected {list(metrics.expected_shape)}",)
        not_finite = tuple(_not_finite(metrics))
        return not_finite or (*self._whole(metrics), *self._elements(metrics), *self._choices(metrics))

    def _whole(self, metrics: Metrics) -> Iterable[str]:
        if self.relative_l2 is not None and not metrics.relative_l2 <= self.relative_l2:
            yield f"relative L2 {metrics.relative_l2:.3g} > {self.relative_l2:g}"
        if self.cosine is not None and not metrics.cosine >= self.cosine:
            yield f"cosine {metrics.cosine:.8g} < {self.cosine:g}"

    def _elements(self, metrics: Metrics) -> Iterable[str]:
        if self.elementwise and metrics.outside:
            yield (
                f"{metrics.outside:,} elements outside atol={self.atol or 0:g}, rtol={self.rtol or 0:g}; it passes with"
                f" that atol and rtol={metrics.rtol_needed:.3g}, or that rtol and atol={metrics.atol_needed:.3g}"
            )
        if self == EXACT and metrics.different:
            yield f"{metrics.different:,} elements differ"

    def _choices(self, metrics: Metrics) -> Iterable[str]:
        if self.margin is not None and metrics.ranking is not None and metrics.ranking.token < 1:
            ranking = metrics.ranking
            wrong = round((1 - ranking.token) * ranking.decided)
            yield f"another largest value in {wrong:,} of the {ranking.decided:,} rows with a margin of {self.margin:g}"


EXACT = Tolerance()
"""Every element equal: what integers and bools are held to."""

TOLERANCES: dict[str, Tolerance] = {
    "float64": Tolerance(relative_l2=1e-5),  # computed in float32 at best
    "float32": Tolerance(relative_l2=1e-5),
    "float16": Tolerance(relative_l2=1e-2, cosine=0.9999),
    "bfloat16": Tolerance(relative_l2=5e-2, cosine=0.999),  # eight times coarser than float16
    "float8_e4m3fn": Tolerance(relative_l2=1e-1, cosine=0.99),
    "float8_e5m2": Tolerance(relative_l2=2e-1, cosine=0.98),
}
"""What a whole model's output passes with, by the coarsest dtype in which it was computed (DESIGN.md, section 5)."""


ON_A_GPU = TOLERANCES | {"float32": Tolerance(relative_l2=1e-4), "float64": Tolerance(relative_l2=1e-4)}
"""The same where an engine computed it: its kernels add up in an order of their own."""


def tolerance_for(output: str, computed: Iterable[str] = (), *, on_a_gpu: bool = False) -> Tolerance:
    """The table's tolerance for an output of a dtype.

    computed: dtypes in which models computed it; the coarsest decides. on_a_gpu: whether an engine did. Integers and
    bools are exact.
    Raises DTypeError for an unknown dtype.
    """
    if not dtypes.get(output).is_floating:
        return EXACT
    table = ON_A_GPU if on_a_gpu else TOLERANCES
    named = [name for name in (output, *computed) if dtypes.get(name).is_floating]
    return max((table[name] for name in named if name in table), key=_looseness, default=EXACT)


def _looseness(tolerance: Tolerance) -> float:
    return tolerance.relative_l2 or 0.0


def _not_finite(metrics: Metrics) -> Iterable[str]:
    if metrics.max_abs < float("inf"):
        return
    for counts, where in ((metrics.nonfinite, ""), (metrics.expected_nonfinite, " expected")):
        if counts.nan or counts.inf:
            yield f"{counts.nan:,} NaN and {counts.inf:,} infinite values{where}"


def smallest_passing(metrics: Metrics) -> str:
    """In words, the smallest tolerances with which it would pass, any one of them alone."""
    if metrics.different == 0:
        return "equal"
    if metrics.max_abs == float("inf"):
        return "no tolerance would pass it"
    atol, rtol = written(metrics.max_abs, ".3g"), f"{metrics.max_rel:.3g}"
    return f"passes with atol={atol} or rtol={rtol}; relative_l2={metrics.relative_l2:.3g}"
