"""Runs several sources on the same inputs, and measures how far their outputs are from those of the reference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from trtnet.support.call_interface import check
from trtnet.support.errors import InputError
from trtnet.support.text.counted import counted
from trtnet.verify.arrays.feeding import Array, Arrays, fed
from trtnet.verify.arrays.inputs import (
    Inputs,
    Ranges,
    check_count,
    check_no_ranges,
    given_inputs,
    merged,
    random_inputs,
)
from trtnet.verify.comparison.carrying import Carrying, Declared, sequence
from trtnet.verify.comparison.report import Comparison
from trtnet.verify.comparison.result import OutputComparison
from trtnet.verify.comparison.side import Results, Side, check_numbers
from trtnet.verify.comparison.sides import Saved, open_side, original_of, unquantized_side
from trtnet.verify.comparison.verdict import Judged, Tolerances, check_tolerances
from trtnet.verify.metrics.tolerances import EXACT


def compare(
    candidates: Any,
    expected: Any = None,
    inputs: Inputs | None = None,
    *,
    tolerance: Tolerances = None,
    outputs: Mapping[str, str] | None = None,
    iterations: int = 1,
    seed: int = 0,
    dims: Mapping[str, int] | None = None,
    ranges: Ranges | None = None,
    keep: bool = False,
    carry: Mapping[str, str] | None = None,
    steps: int | None = None,
    in_floats: bool = True,
) -> Comparison:
    """Compares the outputs of one or several candidates with those of a reference.

    candidates: one, or several in a dict by their names. expected: the reference, or a dict of one, by name; by default
    the PyTorch module that the first candidate was defined from. Compared are a network of :func:`trtnet.define` (run
    on the CPU reference), a reference, an engine, a session, a torch module (run in eval mode), a function of numpy
    arrays, or a file: ``.onnx`` (NVIDIA's parser, on the CPU reference), ``.engine``, or saved outputs (``.npz``,
    polygraphy's or trtexec's ``.json``). inputs: arrays by name, a sequence of such mappings for several iterations, a
    file of either, or one array for the only input. None: random inputs from `seed`, `iterations` times: standard
    normal floats, or uniform within `ranges`, which integer inputs need ({"input_ids": (0, 30000)}); `dims` are the
    sizes of dynamic dimensions. Inputs have the narrowest dtype that any side declares; casts, and outputs matched by
    order, are in the report's notes. tolerance: what an output needs to pass; by default the table's for the coarsest
    dtype of the sides' definitions or computations. Integers and bools are compared exactly; of a tolerance for all
    outputs only atol applies, to integers. outputs: expected name -> the candidates'; only these are compared; without
    it, a missing output is an error, another one a note. keep: all inputs and outputs, for saving. carry: output ->
    input: the iterations are the steps of a sequence, and each side gets its own outputs of the previous step; by
    default the states that a side declares. steps: their number; inputs of one call are repeated, random ones drawn for
    each. in_floats: compare quantized networks without their quantization, too.
    Returns the comparison: differences are results.
    Raises InputError and ModelError for what cannot be compared, and what the sides raise.

    >>> import torch, trtnet
    >>> network = trtnet.define(torch.nn.Linear(3, 2).eval(), {"x": trtnet.Input((4, 3))})
    >>> trtnet.compare(network, seed=1).passed
    True
    """
    sides, baseline = _opened(candidates, expected)
    states = Declared.by([*sides.values(), baseline[1]])
    carry = _carried(states.carry if carry is None and steps is not None else carry, steps, iterations)
    run = _Run(sides, baseline, tolerance, outputs, keep, carry or {}, states, _in_floats(sides, in_floats))
    feeds = _feeds(run.all_sides, inputs, dims or {}, ranges or {}, seed, steps or iterations)
    feeds = states.begun(feeds, from_zero=inputs is None and carry == states.carry, drawn=inputs is None)
    for arrays in sequence(list(feeds), carry, steps) if carry else feeds:
        run.add({name: _read_only(array) for name, array in arrays.items()})
    return run.comparison(seed if inputs is None else None, iterations)


def _opened(candidates: Any, expected: Any) -> tuple[dict[str, Side], tuple[str, Side]]:
    if expected is None:
        expected = original_of(next(iter(candidates.values()), None) if isinstance(candidates, Mapping) else candidates)
    sides, others = _named(candidates), _named(expected)
    if not sides or len(others) != 1:
        raise InputError(f"give one reference, and one or more sources to compare with it; found {len(others)}")
    ((name, baseline),) = others.items()
    return sides, (f"{name} (expected)" if name in sides else name, baseline)


def _named(things: Any) -> dict[str, Side]:
    if isinstance(things, Mapping):
        return {name: open_side(thing) for name, thing in things.items()}
    side = open_side(things)
    return {side.kind: side}


def _in_floats(sides: Mapping[str, Side], wanted: bool) -> dict[str, Side]:
    """The networks that are quantized, without their quantization."""
    found = {} if not wanted else {name: unquantized_side(side) for name, side in sides.items()}
    return {name: side for name, side in found.items() if side is not None}


def _feeds(
    sides: Sequence[Side],
    inputs: Inputs | None,
    dims: Mapping[str, int],
    ranges: Ranges,
    seed: int,
    iterations: int,
) -> Iterable[Arrays]:
    declared = [side.takes for side in sides if side.takes]
    if inputs is not None:
        check_no_ranges(ranges)
        return given_inputs(inputs, declared[0] if declared else ())  # with its own number of iterations
    if declared:
        return random_inputs(merged(declared, dims), dims, ranges, seed, iterations)
    saved = [side.iterations for side in sides if isinstance(side, Saved)]
    if len(saved) < len(sides):
        raise InputError("none of the sources declares its inputs: give inputs")
    if len(set(saved)) > 1:
        raise InputError(f"different numbers of saved iterations: {', '.join(map(str, saved))}")
    return [{} for _ in range(saved[0])]


def _carried(carry: Mapping[str, str] | None, steps: int | None, iterations: int) -> Mapping[str, str] | None:
    """What is carried. Raises InputError for steps without it, for what cannot be, and for no calls at all."""
    check_count("iterations", iterations)
    check_count("steps", 1 if steps is None else steps)
    if steps is not None and not carry:
        text = "declare them, inputs = {'h': trtnet.State(shape)}, or say carry={'h_next': 'h'} (--carry h_next=h)"
        raise InputError(f"steps are those of a sequence, and no side declares states that it carries: {text}")
    if carry and iterations > 1:
        raise InputError("the iterations of a sequence are its steps: give steps instead of iterations")
    inputs = list((carry or {}).values())
    if len(set(inputs)) < len(inputs):
        raise InputError(f"carry feeds one input from two outputs; found {dict(carry or {})}")
    return carry


def _check_used_up(sides: Iterable[Side], iterations: int) -> None:
    for side in sides:
        if isinstance(side, Saved) and side.iterations > iterations:
            raise InputError(
                f"{side.kind} has the outputs of {counted(side.iterations, 'iteration')}; there were {iterations}"
            )


def _read_only(array: Array) -> Array:
    """A view that nobody can write through: what one does to its inputs must not reach the others."""
    view = array.view()
    view.flags.writeable = False
    return view


class _Run:
    """A comparison under way."""

    def __init__(
        self,
        sides: Mapping[str, Side],
        baseline: tuple[str, Side],
        tolerance: Tolerances,
        outputs: Mapping[str, str] | None,
        keep: bool,
        carry: Mapping[str, str],
        states: Declared,
        floats: Mapping[str, Side],
    ) -> None:
        check_tolerances(tolerance)
        self._sides, (self._expected, self._baseline) = sides, baseline
        self._tolerance, self._outputs, self._keep = tolerance, outputs, keep
        self._carry, self._carrying, self._states = carry, Carrying(carry), states
        self.all_sides = [*sides.values(), self._baseline]
        self.iterations = 0
        self._notes: dict[str, None] = {}
        self._found: dict[tuple[str, str, str], OutputComparison] = {}
        self._inputs: list[Arrays] = []
        self._kept: dict[str, list[Arrays]] = {name: [] for name in (*sides, self._expected)}
        self._floats = floats
        self._names: dict[str, list[str]] = {}

    def add(self, inputs: Arrays) -> None:
        """Runs everything once."""
        if self._keep:
            self._inputs.append(inputs)
        everything = {**self._sides, self._expected: self._baseline}
        feeds = {name: self._feed(name, side, inputs) for name, side in everything.items()}
        results = self._results(self._expected, self._baseline, feeds[self._expected])
        expected = results.outputs
        self._check_tolerances(expected)
        turned: list[tuple[str, str]] = []
        for name, side in self._sides.items():
            ours = self._results(name, side, feeds[name])
            found = ours.outputs
            if self._outputs is None:
                check_numbers(self._expected, results, name, found, ours.others)
            pairs, notes = self._states.paired(list(found), list(expected), self._outputs)
            self._note(name, notes)
            self._judge(name, side, pairs, found, expected)
            self._carrying.keep(name, side, found, pairs)
            if name in self._floats:
                self._measure_floats(name, pairs, inputs, expected)
            turned += [(theirs, own) for own, theirs in pairs]
        self._carrying.keep(self._expected, self._baseline, expected, turned)
        self.iterations += 1

    def _measure_floats(self, name: str, pairs: Sequence[tuple[str, str]], inputs: Arrays, expected: Arrays) -> None:
        """How far the outputs of a quantized network are off without its quantization."""
        side, label = self._floats[name], f"{name}, not quantized"
        found = side.run(self.iterations, self._feed(label, side, inputs)).outputs
        self._carrying.keep(label, side, found, pairs)
        for ours, theirs in pairs:
            so_far = self._found[name, ours, theirs]
            error = so_far.tolerance.measure(found[ours], expected[theirs]).relative_l2
            self._found[name, ours, theirs] = replace(so_far, in_floats=(*so_far.in_floats, error))

    def _feed(self, name: str, side: Side, inputs: Arrays) -> Arrays:
        feed, notes = self._carrying.feed(name, side, inputs)
        self._note(name, notes)
        feed = self._states.fits(side, feed)
        check(side.takes, fed(side.takes, feed)[0])
        return feed

    def _judge(self, name: str, side: Side, pairs: Iterable[tuple[str, str]], found: Arrays, expected: Arrays) -> None:
        judged = Judged(side, self._baseline, self._tolerance)
        for ours, theirs in pairs:
            new = OutputComparison(name, ours, theirs, EXACT, is_sequence=bool(self._carry))
            self._found[name, ours, theirs] = judged.add(self._found.get((name, ours, theirs), new), found, expected)

    def comparison(self, seed: int | None, asked: int) -> Comparison:
        """seed: of the inputs, if they are random. asked: for how many iterations.

        Raises InputError for more than there were, and for saved outputs that were not compared.
        """
        if asked not in (1, self.iterations):
            raise InputError(f"iterations={asked} are of random inputs; these were {counted(self.iterations, 'call')}")
        _check_used_up(self.all_sides, self.iterations)
        seed = seed if any(side.takes for side in self.all_sides) else None
        return Comparison(
            self._expected, tuple(self._found.values()), tuple(self._notes), seed, tuple(self._inputs), self._kept
        )

    def _check_tolerances(self, expected: Arrays) -> None:
        for name in self._tolerance if isinstance(self._tolerance, Mapping) else ():
            if name not in expected:
                known = ", ".join(expected)
                raise InputError(
                    f"a tolerance for {name}, which is not an output of the reference; its outputs are {known}"
                )

    def _results(self, name: str, side: Side, inputs: Arrays) -> Results:
        """What a side gives. Raises InputError for other outputs than in the iterations before."""
        results = side.run(self.iterations, inputs)
        self._note(name, results.remarks)
        before = self._names.setdefault(name, list(results.outputs))
        if set(before) != set(results.outputs):
            raise InputError(
                f"{name} has the outputs {', '.join(results.outputs)} in iteration {self.iterations}, and"
                f" {', '.join(before)} before"
            )
        if self._keep:
            self._kept[name].append(results.outputs)
        return results

    def _note(self, name: str, notes: Iterable[str]) -> None:
        self._notes |= dict.fromkeys(f"{name}: {note}" for note in notes)
