"""A module run alone on the original's own inputs: what tells its own fault from those before it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from trtnet.definition import DefinedNetwork
from trtnet.definition.again import unquantized
from trtnet.graph.calls import Call
from trtnet.support.errors import TrtnetError
from trtnet.verify.bisection import pairs
from trtnet.verify.bisection.isolate import alone
from trtnet.verify.bisection.module_values import argument_names, is_leaf, known, result_names
from trtnet.verify.bisection.pairs import Pairs, Value
from trtnet.verify.bisection.result import Row, Verdict
from trtnet.verify.bisection.taps import Recording, ReferenceTaps, Taps
from trtnet.verify.bisection.torch_recording import Original, TorchCall
from trtnet.verify.metrics.array_metrics import Array
from trtnet.verify.metrics.tolerances import tolerance_for

MakeTaps = Callable[[DefinedNetwork], Taps]

JUMP = 2.0
"""A module is looked at where the error of its outputs is this much larger than that of its inputs."""
LEAF = 0.5
"""The share of a model's tolerance that a module without modules in it may take."""


@dataclass(frozen=True)
class Rerun:
    """The error of a module alone; None and why if it could not be run, or its results not be compared."""

    error: float | None
    why: str = ""


def budget(network: DefinedNetwork, call: Call, dtype: str, on: MakeTaps) -> float:
    """The error that the outputs of a module may have on exact inputs: a model's tolerance, half of it for a leaf.

    Where weights in it are quantized, the tolerance is that of what they are quantized to.
    """
    coarser = network.quantized.dtypes_in(call.path)
    whole = tolerance_for(dtype, coarser, on_a_gpu=on is not ReferenceTaps).relative_l2 or 0.0
    return whole * LEAF if is_leaf(call.module) else whole


class Reruns:
    """Runs calls of a network alone. recording: what the network's modules got, for what the original does not have."""

    def __init__(self, network: DefinedNetwork, recording: Recording, on: MakeTaps) -> None:
        self.network, self.recording, self.on = network, recording, on

    def verdict(self, row: Row, call: Call, theirs: TorchCall) -> tuple[Verdict, Rerun]:
        """Whether a module differs by itself, and in which way."""
        own = self.run(call, theirs, self.on, None)
        if own.error is None:
            return Verdict.FAULT, own
        if own.error <= row.budget:
            return Verdict.CLEARED, own
        if row.dtype == "float32" and self.on is ReferenceTaps:
            return Verdict.FAULT, own
        exact = self.run(call, theirs, ReferenceTaps, "float32")
        if exact.error is None or exact.error > budget(self.network, call, "float32", ReferenceTaps):
            return Verdict.FAULT, own
        return (Verdict.OVERFLOW if own.error == math.inf else self._right_formula(row, call, theirs)), own

    def _right_formula(self, row: Row, call: Call, theirs: TorchCall) -> Verdict:
        """Of a module that is right in float32 and too far off in its own dtype."""
        if self.on is not ReferenceTaps:
            told = self.run(call, theirs, ReferenceTaps, None)
            if told.error is not None and told.error <= row.budget:
                return Verdict.KERNEL
        return Verdict.ROUNDS if is_leaf(call.module) else Verdict.CLEARED

    def run(self, call: Call, theirs: TorchCall, on: MakeTaps, dtype: str | None) -> Rerun:
        """The call on the original's inputs, and on our own where the original has none. dtype: None for its own."""
        values = {x.name: self.recording.values[x.name] for x in call.inputs if x.name in self.recording.values}
        unknown = [x for x in call.inputs if x.name not in values]
        values |= {call.inputs[one.index].name: one.expected for one in self.inputs(call, theirs).pairs}
        values |= {x.name: value.array for x, value in zip(unknown, theirs.inputs, strict=False)}
        try:
            found = alone(self.network, call, dtype).run(on, values)
        except TrtnetError as error:
            return Rerun(None, str(error))
        outputs = pairs.results([Value(*each) for each in zip(self._names(call), found, strict=True)], theirs.outputs)
        return Rerun(outputs.error, "" if outputs.error is not None else "its results cannot be compared")

    def inputs(self, call: Call, theirs: TorchCall) -> Pairs:
        """What the call got beside what the original's got."""
        return pairs.arguments(known(self.recording.values, call.inputs, argument_names(call)), theirs.inputs)

    def outputs(self, call: Call, theirs: TorchCall) -> Pairs:
        """What the call gave beside what the original's gave."""
        return pairs.results(known(self.recording.values, call.outputs, self._names(call)), theirs.outputs)

    def _names(self, call: Call) -> list[str]:
        """Names of what a call gives: the model's own has those of the network's outputs."""
        names = {} if call.path else {tensor.name: name for name, tensor in self.network.outputs.items()}
        return [names.get(x.name, name) for x, name in zip(call.outputs, result_names(call), strict=True)]


def in_floats(
    network: DefinedNetwork, original: Original, on: MakeTaps, feeds: Mapping[str, Array]
) -> dict[tuple[str, int], float | None]:
    """By path and call, the errors of modules' outputs without the network's quantization; none if it has none."""
    other = unquantized(network)
    if other is None:
        return {}
    reruns, counts = Reruns(other, on(other)(feeds), on), Counter[str]()
    errors: dict[tuple[str, int], float | None] = {}
    for call in other.calls:
        index = counts[call.path]
        counts[call.path] += 1
        theirs = original.call(call.path, index)
        errors[call.path, index] = None if theirs is None else reruns.outputs(call, theirs).error
    return errors
