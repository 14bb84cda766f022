"""Finds the module whose results differ from its original's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

import trtnet.reference  # noqa: F401  (says which extra brings torch)
from trtnet.builder import describe
from trtnet.definition import DefinedNetwork
from trtnet.support.call_interface import TensorInfo, check
from trtnet.support.errors import InputError
from trtnet.verify.arrays.feeding import Notes, fed
from trtnet.verify.arrays.inputs import Ranges, check_no_ranges, given_inputs
from trtnet.verify.bisection.diagnosis import settings_that_differ
from trtnet.verify.bisection.judge import Judge
from trtnet.verify.bisection.report import Bisection
from trtnet.verify.bisection.rerun import MakeTaps, in_floats as of_floats
from trtnet.verify.bisection.result import NAMED, Finding, Row, Verdict
from trtnet.verify.bisection.taps import Recording, ReferenceTaps
from trtnet.verify.bisection.torch_recording import Names, Original
from trtnet.verify.comparison.carrying import Declared
from trtnet.verify.comparison.failing_step import Step, differing_step
from trtnet.verify.comparison.result import OutputComparison
from trtnet.verify.comparison.side import check_numbers
from trtnet.verify.comparison.sides import declared_by, defined_in, original_of
from trtnet.verify.comparison.verdict import Judged, Numbers, all_judged
from trtnet.verify.metrics.array_metrics import Array

if TYPE_CHECKING:
    import torch


def bisect(
    network: DefinedNetwork,
    original: torch.nn.Module | None = None,
    inputs: Any = None,
    *,
    original_inputs: Mapping[str, Any] | None = None,
    names: Names | None = None,
    outputs: Mapping[str, str] | None = None,
    on: MakeTaps = ReferenceTaps,
    steps: int | None = None,
    carry: Mapping[str, str] | None = None,
    in_floats: bool = True,
    dims: Mapping[str, int] | None = None,
    ranges: Ranges | None = None,
    seed: int = 0,
) -> Bisection:
    """Names the first module of a network that computes something else than the same module of its original.

    original: by default the PyTorch module that the network was defined from. inputs: arrays by the names of the
    network's inputs, or one array for the only input; a cast to the declared dtype is noted. None: random ones of
    `seed`, `dims` and `ranges`, as compare draws them, of a sequence one for all steps. original_inputs: those of the
    torch model, by name or in order, if they differ. names: paths in the original for modules of other names. outputs:
    expected name -> ours, for models whose outputs differ. on: where the network runs: ``ReferenceTaps`` on the CPU,
    ``EngineTaps`` on the GPU, as engines of the same layers and dtypes, ``LockstepTaps`` of all ranks of one that is
    divided. A module is blamed only if its outputs are further from the original's than its inputs, and only after it
    was run alone on the original's own inputs, so that no module is blamed for accumulated rounding. A float16 module
    is run in float32 too, which distinguishes a wrong formula from rounding and overflow. The model's own outputs are
    judged as by compare, in torch's order, shapes and layout: if they fail and no module is to blame, the model itself
    is named. steps, carry: as of compare: the first step whose outputs fail is bisected, on the original's state;
    outputs are judged in all. in_floats: run a quantized network without its quantization too, for each module's error.
    Returns the bisection: each call of a module with its errors, and the findings.
    Raises InputError for inputs that do not fit, and what running the network raises.

    >>> import torch, trtnet
    >>> from trtnet import nn
    >>> original = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.ReLU())
    >>> network = trtnet.define(nn.Sequential(nn.Linear(3, 3), nn.Tanh()), {"x": trtnet.Input((4, 3))}, original)
    >>> result = trtnet.bisect(network, original, torch.ones(4, 3))
    >>> result.passed, result.module
    (False, '1')
    """
    module = original_of(network) if original is None else original
    inputs = _given_or_drawn(network, inputs, original_inputs, dims, ranges, seed, steps)
    if steps is None:
        return _bisected(network, module, inputs, original_inputs, names, outputs, on, in_floats=in_floats)
    if original_inputs is not None:
        raise InputError("original_inputs are those of one call: bisect a sequence without them")
    step = differing_step(network, module, inputs, steps, carry, outputs)
    found = _bisected(network, module, step.inputs, None, names, outputs, on, in_floats=in_floats)
    return replace(found, outputs=step.outputs, notes=(step.note, *_drift(found, step), *found.notes))


def _given_or_drawn(
    network: DefinedNetwork,
    inputs: Any,
    original_inputs: Mapping[str, Any] | None,
    dims: Mapping[str, int] | None,
    ranges: Ranges | None,
    seed: int,
    steps: int | None,
) -> Any:
    """The inputs, random where none are given. Raises InputError for what random, or given, ones do not have."""
    if inputs is not None:
        check_no_ranges(ranges)
        return inputs
    if original_inputs is not None:
        raise InputError(
            "original_inputs are what the torch model gets in place of inputs, which are missing: give both"
        )
    declared = Declared(network.states, _takes(network))
    return declared.completed({}, dims or {}, ranges or {}, seed, from_zero=steps is not None)


def _bisected(
    network: DefinedNetwork,
    module: torch.nn.Module,
    inputs: Any,
    original_inputs: Mapping[str, Any] | None,
    names: Names | None,
    outputs: Mapping[str, str] | None,
    on: MakeTaps,
    *,
    in_floats: bool,
) -> Bisection:
    """That of one call."""
    takes = _takes(network)
    states = Declared(network.states, takes)
    (given,) = states.begun([_one_call(inputs, network)], from_zero=False)
    feeds, notes = fed(takes, given)
    check(takes, feeds)
    given = states.without_mask(given)
    run = Original(module, given if original_inputs is None else _one_call(original_inputs, network), names or {})
    if outputs is None:
        check_numbers("the original", run.results, "the network", network.outputs)
    pairs, of_outputs = states.paired(list(network.outputs), list(run.results.outputs), outputs)
    run.choose({theirs: ours for ours, theirs in pairs})
    recording = on(network)(feeds)
    judged = _judged(network, run, recording, pairs, on_a_gpu=on is not ReferenceTaps)
    errors = of_floats(network, run, on, feeds) if in_floats else {}
    rows, findings = _with_floats(*Judge(network, run, recording, on, judged).run(), errors)
    harmless, unjudged = _settings(network, run, rows)
    remarks = (*notes, *run.results.remarks, *of_outputs, *unjudged)
    return Bisection(rows, findings, judged, _overflow(network, recording), harmless, remarks)


def _drift(found: Bisection, step: Step) -> Notes:
    """What is to say where a sequence fails and its step does not."""
    if not found.passed or all(output.passed for output in step.outputs):
        return ()
    return (f"in step {step.number} alone everything agrees: small errors add up in the state from step to step",)


def _with_floats(
    rows: Sequence[Row], findings: Sequence[Finding], errors: Mapping[tuple[str, int], float | None]
) -> tuple[tuple[Row, ...], tuple[Finding, ...]]:
    """The same with the errors without quantization, by path and call."""

    def added(row: Row) -> Row:
        return replace(row, in_floats=errors.get((row.path, row.call)))

    return tuple(map(added, rows)), tuple(replace(one, row=added(one.row)) for one in findings)


def _judged(
    network: DefinedNetwork,
    original: Original,
    recording: Recording,
    pairs: Sequence[tuple[str, str]],
    *,
    on_a_gpu: bool,
) -> tuple[OutputComparison, ...]:
    """The model's own outputs, by the rules of compare."""
    found = {name: recording.values[tensor.name] for name, tensor in network.outputs.items()}
    ours = Numbers(defined_in(network), declared_by(network), on_a_gpu)
    theirs = original.side
    return all_judged(Judged(ours, theirs), "the network", pairs, found, original.results.outputs)


def _takes(network: DefinedNetwork) -> tuple[TensorInfo, ...]:
    """The inputs of the whole model."""
    return tuple(map(network.division.described.whole, describe(network).inputs))


def _one_call(inputs: Any, network: DefinedNetwork) -> dict[str, Array]:
    iterations = given_inputs(inputs, _takes(network))
    if len(iterations) != 1:
        raise InputError(f"bisect takes the inputs of one call; found those of {len(iterations)}")
    return iterations[0]


def _overflow(network: DefinedNetwork, recording: Recording) -> str:
    """Where the first value that is not finite comes from: a layer, or where only modules were seen, a module."""
    if recording.overflow is not None:
        return str(recording.overflow)
    for call in network.calls:
        inputs, outputs = ([recording.values.get(x.name) for x in side] for side in (call.inputs, call.outputs))
        if all(map(_is_finite, inputs)) and not all(map(_is_finite, outputs)):
            return f"{call.path or 'the model'}: it gets finite values and gives others"
    return ""


def _is_finite(array: Array | None) -> bool:
    return array is None or array.dtype.kind in "biu" or bool(np.isfinite(array.astype(np.float32)).all())


def _settings(network: DefinedNetwork, original: Original, rows: Sequence[Row]) -> tuple[tuple[str, ...], Notes]:
    """Settings that differ between modules of one name and kind: (without effect, of those that are not judged)."""
    harmless, unjudged = [], []
    for module, path in network.modules.items():
        theirs, verdicts = original.module(path), {row.verdict for row in rows if row.path == path}
        if theirs is None or verdicts & {*NAMED} or type(theirs).__name__ != type(module).__name__:
            continue
        differences = [f"{path}: {difference}" for difference in settings_that_differ(module, theirs)]
        if verdicts <= {Verdict.AGREES, Verdict.CLEARED}:
            harmless += differences
        else:
            unjudged += [f"{difference} ({', '.join(sorted(verdicts))})" for difference in differences]
    return tuple(harmless), tuple(unjudged)
