"""Judges every call of a network's modules against the original's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from trtnet.definition import DefinedNetwork
from trtnet.graph.calls import Call
from trtnet.graph.place import is_in
from trtnet.verify.bisection.explanation import Explanation
from trtnet.verify.bisection.pairs import Pairs
from trtnet.verify.bisection.rerun import JUMP, MakeTaps, Rerun, Reruns, budget
from trtnet.verify.bisection.result import NAMED, Finding, Row, Verdict
from trtnet.verify.bisection.taps import Recording
from trtnet.verify.bisection.torch_recording import Original, TorchCall
from trtnet.verify.comparison.result import OutputComparison

HEALED = 1e-3
"""The share of a module's error that may be left of it after it, where the two models are divided otherwise."""


class Judge:
    """Judges calls in the order in which they returned: a module after those in it, and before those after it.

    outputs: the model's own results against the original's. They decide: inside a model a layout is free, and work may
    be divided otherwise; what the caller gets is not.
    """

    def __init__(
        self,
        network: DefinedNetwork,
        original: Original,
        recording: Recording,
        on: MakeTaps,
        outputs: Sequence[OutputComparison],
    ) -> None:
        self.outputs = outputs
        self.network, self.original, self.recording = network, original, recording
        self.reruns = Reruns(network, recording, on)
        self.judged: list[tuple[Row, Call]] = []
        self._merged: dict[str, int] = {}
        self._confirmed: set[str] = set()

    def run(self) -> tuple[tuple[Row, ...], tuple[Finding, ...]]:
        """(every call, the modules that differ by themselves)."""
        counts: dict[str, int] = {}
        for call in self.network.calls:
            index = counts.get(call.path, 0)
            counts[call.path] = index + 1
            row = self._row(call, index)
            self.judged.append((row if call.path else self._as_given(row), call))
        explanation = Explanation(self.network, self.original, self.judged, self.pairs)
        named = [(row, call) for row, call in self.judged if row.verdict in NAMED]
        return tuple(row for row, _ in self.judged), tuple(Finding(r, explanation.of(r, c)) for r, c in named)

    def pairs(self, row: Row, call: Call) -> tuple[Pairs, Pairs]:
        """What the call got and gave beside what the original's did."""
        theirs = self._theirs(row)
        return self.reruns.inputs(call, theirs), self.reruns.outputs(call, theirs)

    def _theirs(self, row: Row) -> TorchCall:
        theirs = self.original.call(row.path, row.call)
        assert theirs is not None  # the row says ABSENT otherwise
        return theirs

    def _row(self, call: Call, index: int) -> Row:
        dtype = self._dtype(call)
        kind, limit = type(call.module).__name__, budget(self.network, call, dtype, self.reruns.on)
        row = Row(call.path, kind, index, dtype, None, None, limit, None, Verdict.ABSENT)
        if self.original.call(call.path, index) is None:
            return row
        inputs, outputs = self.pairs(row, call)
        missing = f"not compared: {', '.join(inputs.alone)}" if inputs.alone else ""
        other = f"inputs of another shape: {', '.join(inputs.unlike)}" if inputs.unlike else ""
        row = replace(
            row,
            inputs=self._input_error(call, inputs),
            outputs=outputs.error,
            note=_joined(inputs.rules, other, outputs.rules, missing),
            unlike=", ".join(outputs.unlike),
        )
        return self._without_outputs(row, call) if row.outputs is None else self._with_outputs(row, call)

    def _input_error(self, call: Call, inputs: Pairs) -> float | None:
        """That of the inputs, or of the module that was merged into this one; 0 of a module that gets nothing."""
        before = [self.judged[self._merged[x.name]][0].inputs for x in call.inputs if x.name in self._merged]
        errors = [error for error in (inputs.error, *before) if error is not None]
        return max(errors, default=None if call.inputs else 0.0)

    def _without_outputs(self, row: Row, call: Call) -> Row:
        shapes = [list(self.recording.values[x.name].shape) for x in call.outputs if x.name in self.recording.values]
        if shapes or not call.outputs:
            theirs = ", ".join(str(list(value.array.shape)) for value in self._theirs(row).outputs)
            return replace(row, verdict=Verdict.INCOMPARABLE, note=f"{shapes} here, {theirs} in torch")
        into = [path for x in call.outputs if (path := x.merged_into) is not None]
        if not into:
            return replace(row, verdict=Verdict.UNUSED)
        self._merged |= {x.name: len(self.judged) for x in call.outputs}
        return replace(row, verdict=Verdict.MERGED, note=_joined(row.note, f"into {into[0]}"))

    def _with_outputs(self, row: Row, call: Call) -> Row:
        error, got = row.outputs or 0.0, row.inputs
        inside = [i for i, (r, _) in enumerate(self.judged) if r.verdict in NAMED and is_in(r.path, row.path)]
        if inside:
            row = self._around(row, inside)
        if row.verdict is Verdict.CONTAINS:
            return row
        if error <= row.budget:
            return replace(row, verdict=Verdict.AGREES)
        if got is None:
            return replace(row, verdict=Verdict.INCOMPARABLE)
        if got == math.inf or error < JUMP * got or (row.unlike and got > row.budget):
            return replace(row, verdict=Verdict.DOWNSTREAM)
        examined = self._examined(row, call)
        is_shape = examined.verdict is Verdict.FAULT and row.unlike
        return replace(examined, verdict=Verdict.SHAPE) if is_shape else examined

    def _as_given(self, row: Row) -> Row:
        """The model's own row, by what the caller gets."""
        failed = [output for output in self.outputs if not output.passed]
        error = max((output.worst.relative_l2 for output in self.outputs), default=None)
        if not failed:
            self._excuse_shapes()
            is_inside = any(accused.verdict in NAMED for accused, _ in self.judged)
            return replace(row, outputs=error, verdict=Verdict.CONTAINS if is_inside else Verdict.AGREES, unlike="")
        shapes = [output for output in failed if not output.worst.same_shape]
        unlike = ", ".join(
            f"{output.output} {list(output.worst.shape)} here, {list(output.worst.expected_shape)} in torch"
            for output in shapes
        )
        verdict = row.verdict
        if shapes and verdict is not Verdict.CONTAINS:
            verdict = Verdict.LAYOUT if verdict is Verdict.AGREES else Verdict.SHAPE
        elif verdict not in (*NAMED, Verdict.CONTAINS) or verdict is Verdict.SHAPE:
            verdict = Verdict.DIFFERS
        return replace(row, outputs=error, verdict=verdict, unlike=unlike)

    def _excuse_shapes(self) -> None:
        """Another shape that reaches no output is another division of the work."""
        for place, (accused, call) in enumerate(self.judged):
            if accused.verdict is Verdict.SHAPE:
                self.judged[place] = replace(accused, verdict=Verdict.DIVIDED), call

    def _around(self, row: Row, inside: Sequence[int]) -> Row:
        """A module with accused ones in it; what they differ by may arrive nowhere, where the models are divided
        otherwise: an activation is in a module of torch's and behind the one of that name here."""
        for place in inside:
            accused, call = self.judged[place]
            if accused.path in self._confirmed:
                continue
            if self._arrives(place, row):
                self._confirmed.add(accused.path)
            else:
                self.judged[place] = replace(accused, verdict=Verdict.DIVIDED), call
        if any(self.judged[place][0].verdict in NAMED for place in inside):
            return replace(row, verdict=Verdict.CONTAINS)
        return row

    def _arrives(self, place: int, around: Row) -> bool:
        """Whether what a module differs by is seen in what later ones around it get, or in their common result."""
        accused, _ = self.judged[place]
        least = min(around.budget, HEALED * (accused.outputs or 0.0))
        limit = max(least, JUMP * (accused.inputs or 0.0))
        later = [row.inputs for row, _ in self.judged[place + 1 :]]
        return any(error is not None and error > limit for error in (*later, around.outputs))

    def _examined(self, row: Row, call: Call) -> Row:
        """A suspect, run alone; before it, what was merged into it."""
        for place in [self._merged[x.name] for x in call.inputs if x.name in self._merged]:
            before, module = self.judged[place]
            verdict, rerun = self.reruns.verdict(before, module, self._theirs(before))
            if verdict in NAMED:
                accused = replace(before, outputs=row.outputs, note=_joined(before.note, f"seen in {row.name}"))
                self.judged[place] = _run_alone(accused, verdict, rerun), module
                return replace(row, verdict=Verdict.DOWNSTREAM)
        verdict, rerun = self.reruns.verdict(row, call, self._theirs(row))
        return _run_alone(row, verdict, rerun)

    def _dtype(self, call: Call) -> str:
        """The coarsest dtype in which the call computes."""
        inside = [self.network.precision.at(p) for p in self.network.modules.values() if is_in(p, call.path)]
        return min(inside, key=lambda dtype: (dtype.bits, dtype.name)).name


def _run_alone(row: Row, verdict: Verdict, rerun: Rerun) -> Row:
    note = _joined(row.note, f"not run alone: {rerun.why}" if rerun.why else "")
    return replace(row, verdict=verdict, alone=rerun.error, note=note)


def _joined(*notes: str) -> str:
    return "; ".join(filter(None, notes))
