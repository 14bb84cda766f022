"""What a bisection found, without how it is shown."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from trtnet.verify.comparison.result import OutputComparison, output_json


class Verdict(StrEnum):
    """What can be said of one call of a module."""

    AGREES = "agrees"
    FAULT = "computes something else"
    SHAPE = "gives another shape"
    LAYOUT = "gives another layout"
    DIFFERS = "differs, no module in it does by itself"
    OVERFLOW = "overflows"
    ROUNDS = "rounds too much"
    KERNEL = "its kernel computes something else"
    CONTAINS = "contains what differs"
    DOWNSTREAM = "its inputs differ"
    CLEARED = "agrees when run alone"
    DIVIDED = "divided otherwise, the module around it agrees"
    MERGED = "merged into another module's layer"
    INCOMPARABLE = "not comparable"
    ABSENT = "not in the original"
    UNUSED = "not computed"


NAMED = (
    Verdict.FAULT, Verdict.SHAPE, Verdict.LAYOUT, Verdict.DIFFERS, Verdict.OVERFLOW, Verdict.ROUNDS, Verdict.KERNEL,
)  # fmt: skip
"""Verdicts that name a module."""


@dataclass(frozen=True)
class Row:
    """One call of a module, in the order in which calls returned. Errors are relative L2.

    call: which of the module's calls. inputs, outputs: the largest error of what it got and gave, None if unknown.
    budget: what the error of its outputs may be. alone: the error of its outputs on the original's own inputs, None if
    it was not run alone. note: what was done to compare the values, and what could not be. unlike: results of another
    shape or kind, with both; their errors are infinite. in_floats: of a quantized network, the error of the outputs
    without its quantization. The model's own row is that of what the caller gets: in torch's
    order, shapes and layout, by the tolerances of compare.
    """

    path: str
    kind: str
    call: int
    dtype: str
    inputs: float | None
    outputs: float | None
    budget: float
    alone: float | None
    verdict: Verdict
    note: str = ""
    unlike: str = ""
    in_floats: float | None = None

    @property
    def name(self) -> str:
        """The path, with the number of the call from the second on."""
        return (self.path or "(the model)") + (f" #{self.call + 1}" if self.call else "")


@dataclass(frozen=True)
class Finding:
    """A module that differs by itself. reasons: what is known about why, the clearest first."""

    row: Row
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class BisectionResult:
    """Where a network and its torch original differ.

    rows: every call of a module, in the order in which they returned. findings: the modules that differ by themselves,
    the first of them first. outputs: the model's own, judged as compare does. overflow: where the first NaN or infinity
    comes from, "" if there is none. harmless: settings that differ without effect on these inputs. notes: what was done
    to run both, and what was not judged.
    """

    rows: tuple[Row, ...]
    findings: tuple[Finding, ...]
    outputs: tuple[OutputComparison, ...] = ()
    overflow: str = ""
    harmless: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether no module is named, and every output of the model matches torch's."""
        return not self.findings and all(output.passed for output in self.outputs)

    @property
    def module(self) -> str | None:
        """The path of the first module that differs, "" for the model itself; None if none does."""
        return self.findings[0].row.path if self.findings else None

    def to_json(self) -> dict[str, Any]:
        """Everything, for ``json.dumps``: a non-finite error is the string inf."""
        return {
            "module": self.module,
            "passed": self.passed,
            "findings": [{"row": _row(finding.row), "reasons": list(finding.reasons)} for finding in self.findings],
            "outputs": [output_json(output) for output in self.outputs],
            "overflow": self.overflow,
            "harmless": list(self.harmless),
            "notes": list(self.notes),
            "rows": [_row(row) for row in self.rows],
        }


def _row(row: Row) -> dict[str, Any]:
    return {name: "inf" if value == math.inf else value for name, value in asdict(row).items()}
