"""Whether an output is the one that was expected: the rules by which compare and bisect give their verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from trtnet.support import dtypes
from trtnet.support.errors import InputError
from trtnet.verify.arrays.feeding import Array, Arrays
from trtnet.verify.comparison.likeness import likeness
from trtnet.verify.comparison.result import OutputComparison
from trtnet.verify.comparison.side import Numerics
from trtnet.verify.metrics.array_metrics import Metrics
from trtnet.verify.metrics.tolerances import EXACT, Tolerance, tolerance_for

Tolerances = Tolerance | Mapping[str, Tolerance] | None
"""One for all outputs, some by their expected names, or None: the table's."""


AS_INTEGERS = (
    "it has whole numbers alone on both sides, in files without dtypes: they are held to be equal without --atol"
)


@dataclass(frozen=True)
class Numbers:
    """A side by itself."""

    computed: frozenset[str]
    declared: frozenset[str]
    on_a_gpu: bool = False
    is_typed: bool = True
    whole: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Judged:
    """Both sides of a comparison, and what was asked for."""

    ours: Numerics
    theirs: Numerics
    tolerances: Tolerances = None

    def add(self, so_far: OutputComparison, found: Arrays, expected: Arrays) -> OutputComparison:
        """One more iteration of an output: all that was found and expected in it.

        Raises InputError for floats that stand for integers and do not hold all of them, and for a margin alone where
        there are no rows.
        """
        a, b = found[so_far.output], expected[so_far.expected_output]
        are_whole = self.tolerances is None and self._are_whole(so_far)
        if not so_far.iterations:
            asked = EXACT if are_whole else self.tolerance(so_far.expected_output, a, b)
            so_far = replace(so_far, tolerance=asked)
        _check_holds(so_far, a, b)
        asked = so_far.tolerance
        metrics = asked.measure(a, b)
        _check_rows(so_far, metrics)
        more = so_far.with_iteration(metrics, a, b, self._wrong_dtype(a, b))
        if not more.likeness and asked.failures(metrics):
            others = {name: array for name, array in expected.items() if name != so_far.expected_output}
            more = replace(more, likeness=likeness(a, b, others) or (AS_INTEGERS if are_whole else ""))
        return more

    def _are_whole(self, output: OutputComparison) -> bool:
        """Whether both sides have whole numbers alone and no dtypes: integers, as trtexec writes them."""
        return output.output in self.ours.whole and output.expected_output in self.theirs.whole

    def tolerance(self, name: str, found: Array, expected: Array) -> Tolerance:
        """What an output passes with: what was asked for by its name, or of all; else the table's.

        Of what is asked of all outputs, only atol holds for integers, which are exact without it; bools always are.
        """
        if isinstance(self.tolerances, Mapping) and name in self.tolerances:
            return self.tolerances[name]
        if not (_is_floating(found) and _is_floating(expected)):
            has_bools = np.bool_ in (found.dtype, expected.dtype)
            asked = self.tolerances if isinstance(self.tolerances, Tolerance) and not has_bools else EXACT
            return Tolerance(atol=asked.atol)
        if isinstance(self.tolerances, Tolerance):
            return self.tolerances
        computed = (found.dtype.name, *self.ours.computed, *self.theirs.computed)
        return tolerance_for(expected.dtype.name, computed, on_a_gpu=self.ours.on_a_gpu or self.theirs.on_a_gpu)

    def _wrong_dtype(self, found: Array, expected: Array) -> str:
        """Floats for integers or bools, and a floating dtype that nobody asked for; "" if nothing is wrong."""
        names = dtypes.get(found.dtype).name, dtypes.get(expected.dtype).name
        if names[0] == names[1] or not (self.ours.is_typed and self.theirs.is_typed):
            return ""
        both = _is_floating(found) and _is_floating(expected)
        declared = zip(names, (self.ours.declared, self.theirs.declared), strict=True)
        if (both and all(not known or name in known for name, known in declared)) or (
            not both and _kind(found) == _kind(expected)
        ):
            return ""
        return f"dtype {names[0]}, expected {names[1]}"


def check_tolerances(given: object) -> None:
    """Raises InputError for what is not of :data:`Tolerances`: a number alone does not say of what it is the most."""
    by_name = given if isinstance(given, Mapping) else {"": given}
    for name, one in by_name.items():
        if not isinstance(one, Tolerance) and not (one is None and by_name is not given):
            of = f" of the output {name}" if name else ""
            raise InputError(
                f"the tolerance{of} is a trtnet.Tolerance, such as Tolerance(relative_l2=1e-3); found {one!r}"
            )


def all_judged(
    judged: Judged, candidate: str, pairs: Iterable[tuple[str, str]], found: Arrays, expected: Arrays
) -> tuple[OutputComparison, ...]:
    """Outputs of one call. pairs: names of what was found and of what is expected for it."""
    return tuple(judged.add(OutputComparison(candidate, *names, EXACT), found, expected) for names in pairs)


def _is_floating(array: Array) -> bool:
    return dtypes.get(array.dtype).is_floating


def _kind(array: Array) -> str:
    return "float" if _is_floating(array) else "bool" if array.dtype == np.bool_ else "integer"


def _check_holds(output: OutputComparison, found: Array, expected: Array) -> None:
    """Raises InputError for integers beside floats that are too coarse for them."""
    sides = (found, output.output), (expected, output.expected_output)
    floats = [(array, name) for array, name in sides if _is_floating(array)]
    if len(floats) != 1 or not (found.size and expected.size):
        return
    ((array, name),) = floats
    most = int(2 / dtypes.get(array.dtype).eps)
    largest = max(_largest(found), _largest(expected))
    if largest > most:
        raise InputError(
            f"output {name} is {array.dtype.name}, which holds every integer up to {most:,}; it stands for integers up"
            f" to {largest:,.0f}, which it cannot show to be equal: save them as integers"
        )


def _check_rows(output: OutputComparison, metrics: Metrics) -> None:
    """Raises InputError for an output of which nothing is asked."""
    if output.tolerance.asks_margin_alone and metrics.same_shape and metrics.ranking is None:
        raise InputError(
            f"output {output.expected_output} {list(metrics.shape)}: only a margin is given, but it has no rows of"
            f" scores: also give relative_l2, atol or rtol"
        )


def _largest(array: Array) -> float:
    values = np.abs(array.astype(np.float64))
    return float(values.max(where=np.isfinite(values), initial=0.0))
