"""Which modules need float32 for the rest to be float16."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trtnet.checkpoint import IGNORED, Source as WeightsSource, open_checkpoint
from trtnet.checkpoint.matching import useful
from trtnet.definition import DefinedNetwork, define
from trtnet.definition.inputs import Declared
from trtnet.definition.models import Model, as_module, torch_module_of
from trtnet.graph.precision import Precision
from trtnet.nn import Module
from trtnet.support import dtypes
from trtnet.support.dtypes import DTypeLike
from trtnet.support.errors import DifferenceError, InputError, TrtnetError
from trtnet.support.text.counted import counted
from trtnet.support.text.status_line import StatusLine
from trtnet.verify.arrays.feeding import Arrays
from trtnet.verify.arrays.inputs import Inputs, given_inputs, to_array
from trtnet.verify.comparison.naming import paired
from trtnet.verify.comparison.result import OutputComparison
from trtnet.verify.comparison.sides import open_side
from trtnet.verify.comparison.verdict import Judged, Numbers, all_judged, check_tolerances
from trtnet.verify.metrics.tolerances import Tolerance, tolerance_for
from trtnet.verify.precision.quickxplain import smallest_set
from trtnet.verify.precision.result import PrecisionResult, Trial

log = logging.getLogger(__name__)

NEARLY = 0.75
"""The share of the modules in one that, wide, make it simpler to have all of them wide."""

Run = Callable[[DefinedNetwork], Any]
"""What runs a network: a reference, an engine."""


def search_precision(
    model: Model,
    weights: WeightsSource | None,
    inputs: Inputs,
    reference: Any = None,
    tolerance: Tolerance | None = None,
    *,
    specs: Mapping[str, Declared] | None = None,
    narrow: DTypeLike = "float16",
    wide: DTypeLike = "float32",
    reference_inputs: Inputs | None = None,
    outputs: Mapping[str, str] | None = None,
    on: Run = DefinedNetwork.reference,
    progress: bool = False,
    ignored: Sequence[str] = IGNORED,
) -> PrecisionResult:
    """Finds the fewest modules that must be wide for a model to be within a tolerance of its reference.

    Modules are considered one by one: a module's own layers and weights may be wide while those of its submodules are
    narrow. The result depends on the inputs: real ones can need more than random ones. The search is by bisection (see
    ``smallest_set``), and defines and runs the network again for each candidate. If at least `NEARLY` of a module
    must be wide, all of it is made wide if that passes too and the mapping is shorter. weights, specs: as in define,
    None for a PyTorch module's own weights. inputs: arrays by name; or several such mappings, or a file of them: a
    candidate must then pass on all. reference: what computes the expected outputs: by default the model, if it is a
    PyTorch module; a torch module, an engine, a function, a file, or the outputs by name, for each of the inputs.
    reference_inputs: the inputs of the reference, if they differ. outputs: expected name -> the model's name, where
    names differ; only these are compared. ignored: as in define. tolerance: by default that of a model in the narrow
    dtype; outputs are judged as by compare, which holds integers and bools to be equal. on: what runs a network: its
    CPU reference, or with ``lambda network: network.build(dims)`` an engine on the GPU. Every candidate is logged.
    Returns the result: a mapping of module paths to dtypes, and all candidates.
    Raises DifferenceError if not even the wide model passes: then something else is wrong, which bisect finds.
    """
    pair = dtypes.get(narrow).name, dtypes.get(wide).name
    module = as_module(model)
    reference = _original(module, weights) if reference is None else reference
    search = _Search(
        module,
        specs,
        torch_module_of(module) if weights is None else weights,
        pair,
        tolerance_for(pair[0]) if tolerance is None else tolerance,
        outputs,
        on,
        ignored,
    )
    with StatusLine(progress, "the reference") as shown:
        search.expect(inputs, reference, reference_inputs)
        search.told = shown
        return search.run()


def _original(model: Module, weights: WeightsSource | None) -> Any:
    """The PyTorch module that a model is. Raises InputError for another model, or one with other weights."""
    found = torch_module_of(model)
    if found is None or weights is not None:
        raise InputError("give the reference: reference= by default is a PyTorch module with its own weights")
    return found


class _Search:
    """Tries sets of wide modules."""

    def __init__(
        self,
        model: Module,
        specs: Mapping[str, Declared] | None,
        weights: WeightsSource,
        dtypes_: tuple[str, str],
        tolerance: Tolerance,
        outputs: Mapping[str, str] | None,
        on: Run,
        ignored: Sequence[str],
    ) -> None:
        check_tolerances(tolerance)
        self.model, self.specs, self.checkpoint = model, specs, open_checkpoint(weights)
        self.narrow, self.wide = dtypes_
        self.tolerance, self.outputs, self.on = tolerance, outputs, on
        self.ignored = useful(ignored, dict(model.named_parameters()), self.checkpoint)
        modules = dict(model.named_modules())
        self.containers = list(modules)
        self.paths = [path for path, module in modules.items() if hasattr(module, "forward")]
        self.trials: dict[frozenset[str], Trial] = {}
        self.told: Callable[[str], None] = log.info
        self.inputs: list[Arrays] = []
        self.expected: list[Arrays] = []
        self.typed = False
        self.notes: dict[str, None] = {}

    def expect(self, inputs: Inputs, reference: Any, reference_inputs: Inputs | None) -> None:
        """Runs the reference, once for each of the inputs."""
        self.inputs = given_inputs(inputs, ())
        given = self.inputs if reference_inputs is None else given_inputs(reference_inputs, ())
        known = [reference] if isinstance(reference, Mapping) else reference
        if isinstance(known, list | tuple):
            self.expected = [{n: to_array(value, f"output {n}") for n, value in each.items()} for each in known]
        else:
            side = open_side(reference)
            self.typed = side.is_typed
            found = [side.run(i, each) for i, each in enumerate(given)]
            self.expected = [each.outputs for each in found]
            self.notes |= dict.fromkeys(f"the reference: {note}" for each in found for note in each.remarks)
        for count, what in ((len(given), "reference inputs"), (len(self.expected), "expected outputs")):
            if count != len(self.inputs):
                raise InputError(
                    f"{counted(len(self.inputs), 'input')} and {count} {what}: each of the inputs has its own"
                )

    def run(self) -> PrecisionResult:
        if not self.passes([]):
            if not self.passes(self.paths):
                failed = self.trials[frozenset(self.paths)]
                raise DifferenceError(
                    f"in {self.wide} it does not pass either ({failed.why}): trtnet bisect finds what is wrong"
                )
            self.passes(smallest_set(self.paths, self.passes))
        passed = [modules for modules, trial in self.trials.items() if trial.passed]
        best = self.trials[self._simpler(min(passed, key=len))]
        return PrecisionResult(best, len(self.paths), tuple(self.trials.values()), tuple(self.notes))

    def _simpler(self, modules: frozenset[str]) -> frozenset[str]:
        """The same with whole modules of which nearly all is wide, the outermost first, where that is shorter."""
        for container in sorted(filter(None, self.containers), key=lambda path: path.count(".")):
            inside = {path for path in self.paths if path.startswith(f"{container}.")}
            more = modules | inside | {container}
            if len(inside) < 2 or len(inside & modules) < NEARLY * len(inside) or more == set(self.paths):
                continue
            if len(self._mapping(more)) < len(self._mapping(modules)) and self.passes(sorted(more)):
                modules = more
        return modules

    def passes(self, modules: Sequence[str]) -> bool:
        """Whether the model passes with these modules wide."""
        chosen = frozenset(modules)
        if chosen not in self.trials:
            trial = self.trials[chosen] = self._try(chosen)
            text = f"{len(chosen)} of {len(self.paths)} modules in {self.wide}: {trial.why or trial.error}"
            log.info("trial %d: %s", len(self.trials), text)
            self.told(f"trial {len(self.trials)}: {text}")
        return self.trials[chosen].passed

    def _try(self, modules: frozenset[str]) -> Trial:
        mapping, called = self._mapping(modules), tuple(sorted(modules.intersection(self.paths)))
        try:
            network = define(self.model, self.specs, self.checkpoint, dtype=mapping, ignored=self.ignored)
            side = open_side(self.on(network))
            found = [side.run(i, inputs).outputs for i, inputs in enumerate(self.inputs)]
        except TrtnetError as refused:  # such as a cache that a cast would part from its input
            return Trial(mapping, called, float("inf"), False, str(refused).splitlines()[0])
        judged = [self._judged(*each) for each in zip(found, self.expected, strict=True)]
        phrases = [
            f"inputs {i}: {phrase}" if len(judged) > 1 else phrase
            for i, outputs in enumerate(judged)
            for one in outputs
            for phrase in one.failures
        ]
        error = max((one.worst.relative_l2 for outputs in judged for one in outputs), default=float("inf"))
        return Trial(mapping, called, error, not phrases, "; ".join(phrases))

    def _judged(self, found: Arrays, expected: Arrays) -> tuple[OutputComparison, ...]:
        """Each output. Raises InputError for outputs that cannot be paired: that is no candidate's fault."""
        pairs, notes = paired(list(found), list(expected), self.outputs)
        ours, theirs = (Numbers(frozenset(), frozenset(), is_typed=typed) for typed in (True, self.typed))
        outputs = all_judged(Judged(ours, theirs, self.tolerance), "the model", pairs, found, expected)
        weak = (f"{one.output}: {one.weak}" for one in outputs if one.weak)
        self.notes |= dict.fromkeys((*notes, *weak))
        return outputs

    def _mapping(self, modules: frozenset[str]) -> dict[str, str]:
        """The shortest mapping that makes these modules wide and the others narrow."""
        mapping = {"": self.wide if "" in modules else self.narrow}
        for path in self.containers:
            if path not in modules and path not in self.paths:
                continue  # nothing is computed in it
            wanted = self.wide if path in modules else self.narrow
            if Precision(mapping).at(path).name != wanted:
                mapping[path] = wanted
        return mapping
