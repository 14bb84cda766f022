"""What a comparison found, without how it is shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import prod
from typing import Any

import numpy as np

from trtnet.support.plain import plain
from trtnet.support.text.counted import counted
from trtnet.verify.arrays.feeding import Array, Arrays
from trtnet.verify.metrics.array_metrics import Metrics
from trtnet.verify.metrics.tolerances import Tolerance, smallest_passing

SHOWN = 6
"""How many failures of an output are printed; JSON has all."""

SHOWN_STEPS = 7
"""How many steps of a sequence are printed, beside the first; JSON has all."""


@dataclass(frozen=True)
class OutputComparison:
    """One output of one candidate against the expected one.

    iterations: the metrics of each. wrong_dtype: why its dtype is not the one expected, "" if it is. likeness: what it
    is instead of the one expected, as far as known. sample: both arrays of the worst iteration. is_sequence: whether
    iterations are steps of a sequence. in_floats: of a quantized network, the relative L2 of the same network without
    quantization, in each iteration.
    """

    candidate: str
    output: str
    expected_output: str
    tolerance: Tolerance
    iterations: tuple[Metrics, ...] = ()
    wrong_dtype: str = ""
    likeness: str = ""
    sample: tuple[Array, Array] | None = field(default=None, repr=False, compare=False)
    is_sequence: bool = False
    in_floats: tuple[float, ...] = ()

    def with_iteration(
        self, metrics: Metrics, found: Array, expected: Array, wrong_dtype: str = ""
    ) -> OutputComparison:
        """With one more iteration."""
        is_worst = not self.iterations or metrics.relative_l2 > self.worst.relative_l2
        sample = (found, expected) if is_worst else self.sample
        wrong_dtype = self.wrong_dtype or wrong_dtype
        return replace(self, iterations=(*self.iterations, metrics), wrong_dtype=wrong_dtype, sample=sample)

    @property
    def worst(self) -> Metrics:
        """The iteration with the largest relative L2."""
        return max(self.iterations, key=lambda metrics: metrics.relative_l2)

    @property
    def step(self) -> str:
        """What an iteration is called."""
        return "step" if self.is_sequence else "iteration"

    @property
    def passed(self) -> bool:
        return not self.failures

    @property
    def failures(self) -> tuple[str, ...]:
        """Why it does not pass, in phrases."""
        several = len(self.iterations) > 1
        found = [(i, phrase) for i, m in enumerate(self.iterations) for phrase in self.tolerance.failures(m)]
        phrases = [f"{self.step} {i}: {phrase}" if several else phrase for i, phrase in found]
        if not found and not any(prod(metrics.shape) for metrics in self.iterations):
            phrases.append(f"nothing is compared: {list(self.worst.shape)} has no values")
        elif not found and all(_is_infinite(metrics) for metrics in self.iterations):
            phrases.append("nothing is compared: every value expected is infinite")
        return (*((self.wrong_dtype,) if self.wrong_dtype else ()), *phrases)

    @property
    def weak(self) -> str:
        """Why passing proves little: all expected values are equal; "" otherwise."""
        known = [metrics for metrics in self.iterations if metrics.same_shape]
        if not self.passed or not known or not all(metrics.constant for metrics in known):
            return ""
        return "every value expected is the same: that these are equal says next to nothing of how they are computed"

    def over_iterations(self) -> dict[str, dict[str, float]]:
        """Median, p90 and maximum over the iterations, of the relative L2 and of the largest error."""
        measured = {name: [getattr(m, name) for m in self.iterations] for name in ("relative_l2", "max_abs")}
        return {
            name: {
                "median": float(np.quantile(values, 0.5, method="inverted_cdf")),
                "p90": float(np.quantile(values, 0.9, method="inverted_cdf")),
                "max": max(values),
            }
            for name, values in measured.items()
        }

    def drift(self) -> dict[str, Any]:
        """The relative L2 of the first, the worst and the last step of a sequence, and which is the worst."""
        errors = [metrics.relative_l2 for metrics in self.iterations]
        worst = errors.index(max(errors))
        return {"first": errors[0], "worst": errors[worst], "worst_step": worst, "last": errors[-1]}

    def _by_step(self) -> Iterator[str]:
        """The errors of a few steps, below their numbers."""
        steps = _picked(len(self.iterations))
        if len(steps) < 3 or not self.drift()["worst"]:
            return
        yield "    step    " + "".join(f"{step:>9}" for step in steps)
        for title, name in (("rel. L2", "relative_l2"), ("max abs", "max_abs")):
            yield f"    {title:8}" + "".join(f"{getattr(self.iterations[step], name):>9.1e}" for step in steps)

    def lines(self) -> Iterator[str]:
        """What there is to say beside the numbers."""
        yield f"{self.candidate} {self.output}: {smallest_passing(self.worst)}"
        yield from (f"  FAIL {phrase}" for phrase in self.failures[:SHOWN])
        if self.weak:
            yield f"  WEAK {self.weak}"
        if len(self.failures) > SHOWN:
            yield f"  FAIL and {len(self.failures) - SHOWN} more"
        if self.failures and self.likeness:
            yield f"  {self.likeness}"
        if self.failures and self.worst.worst is not None:
            yield f"  largest error at {self.worst.worst}"
        if self.is_sequence:
            d, last = self.drift(), len(self.iterations) - 1
            yield (
                f"  relative L2 by step: {d['first']:.3g} in the first (0), {d['worst']:.3g} in the worst"
                f" ({d['worst_step']}), {d['last']:.3g} in the last ({last})"
            )
            yield from self._by_step()
        elif len(self.iterations) > 1 and self.worst.different:
            numbers = ", ".join(f"{key} {value:.3g}" for key, value in self.over_iterations()["relative_l2"].items())
            yield f"  relative L2 of {counted(len(self.iterations), 'iteration')}: {numbers}"


def _picked(count: int) -> list[int]:
    """A few of so many steps, closer together at the beginning."""
    return sorted({round((count - 1) ** (place / (SHOWN_STEPS - 1))) for place in range(SHOWN_STEPS)} | {0, count - 1})


@dataclass(frozen=True)
class ComparisonResult:
    """All outputs of all candidates against those of the reference.

    expected: the name of the reference. notes: what was cast, renamed or left out. seed: of the random inputs,
    None if they were given. inputs, outputs: of each iteration, if they were kept, outputs by name of their source.
    """

    expected: str
    outputs: tuple[OutputComparison, ...]
    notes: tuple[str, ...] = ()
    seed: int | None = None
    kept_inputs: Sequence[Arrays] = field(default=(), repr=False, compare=False)
    kept_outputs: Mapping[str, Sequence[Arrays]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def passed(self) -> bool:
        """Whether every output passed, and there was at least one."""
        return bool(self.outputs) and all(output.passed for output in self.outputs)

    def to_json(self) -> dict[str, Any]:
        """All of it but the arrays, for ``json.dumps``: numbers that are not finite are the strings inf, -inf, nan."""
        return {
            "passed": self.passed,
            "expected": self.expected,
            "seed": self.seed,
            "notes": list(self.notes),
            "outputs": [output_json(output) for output in self.outputs],
        }


def _is_infinite(metrics: Metrics) -> bool:
    return metrics.same_shape and metrics.expected_nonfinite.inf == prod(metrics.shape)


def output_json(output: OutputComparison) -> dict[str, Any]:
    """All of it but the arrays, for ``json.dumps``."""
    document = {
        "candidate": output.candidate,
        "output": output.output,
        "expected_output": output.expected_output,
        "passed": output.passed,
        "failures": list(output.failures),
        "weak": output.weak,
        "likeness": output.likeness,
        "tolerance": asdict(output.tolerance),
        "smallest_passing": {name: getattr(output.worst, name) for name in ("max_abs", "max_rel", "relative_l2")},
        "over_iterations": output.over_iterations(),
        "iterations": [asdict(metrics) for metrics in output.iterations],
    }
    document |= {"in_floats": max(output.in_floats)} if output.in_floats else {}
    return dict(plain(document | ({"drift": output.drift()} if output.is_sequence else {})))
