"""The step of a sequence in which a network differs from its original, with what the original carried into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trtnet.definition import DefinedNetwork
from trtnet.verify.arrays.feeding import Arrays
from trtnet.verify.comparison.compare import compare
from trtnet.verify.comparison.report import Comparison
from trtnet.verify.comparison.result import OutputComparison

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Step:
    """inputs: of the step, with the original's state. outputs: of the whole sequence. number: from 0."""

    inputs: Arrays
    outputs: tuple[OutputComparison, ...]
    number: int
    note: str


def differing_step(
    network: DefinedNetwork,
    original: torch.nn.Module,
    inputs: Any,
    steps: int,
    carry: Mapping[str, str] | None,
    outputs: Mapping[str, str] | None,
) -> Step:
    """The first step whose outputs fail, or the worst if none does. Raises as compare does."""
    report = compare(network, {"original": original}, inputs, steps=steps, carry=carry, outputs=outputs, keep=True)
    failing = [
        number
        for output in report.outputs
        for number, metrics in enumerate(output.iterations)
        if output.tolerance.failures(metrics)
    ]
    worst = max(range(steps), key=lambda number: max(o.iterations[number].relative_l2 for o in report.outputs))
    number = min(failing, default=worst)
    which = "the first whose outputs fail" if failing else "the one with the largest error; all pass"
    note = f"step {number} of {steps} (from 0), {which}; both sides got the original's state"
    carried = carry or {state.output: state.input for state in network.states}
    return Step({**report.kept_inputs[number], **_state(report, carried, number)}, report.outputs, number, note)


def _state(report: Comparison, carry: Mapping[str, str], number: int) -> Arrays:
    """What the original carried into a step; nothing into the first."""
    if number == 0:
        return {}
    before = report.kept_outputs["original"][number - 1]
    theirs = {output.output: output.expected_output for output in report.outputs}
    return {name: before[output if output in before else theirs[output]] for output, name in carry.items()}
