"""``trtnet.tune``: the fastest forms of a model's operations on a GPU."""

from __future__ import annotations

import datetime
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from trtnet.builder import BuildConfig, DimRange, Dims, describe
from trtnet.checkpoint import IGNORED, Source
from trtnet.definition import DefinedNetwork, DTypes
from trtnet.definition.inputs import Declared, declared
from trtnet.definition.models import Model, as_module
from trtnet.ops.formulations.tuning import Tuning
from trtnet.support import backend
from trtnet.support.errors import InputError
from trtnet.support.text.status_line import StatusLine
from trtnet.support.version import version
from trtnet.tools.run import random_inputs
from trtnet.tools.targets.arguments import with_sizes
from trtnet.tools.tune.choices.groups import estimated, groups_of, timed
from trtnet.tools.tune.choices.variants import NeutralBut, by_path
from trtnet.tools.tune.machine import Machine, this_machine
from trtnet.tools.tune.processes import subject as subjects
from trtnet.tools.tune.processes.measuring import Processes, Setup
from trtnet.tools.tune.processes.subject import Given, Subject
from trtnet.tools.tune.processes.workplace import Arrays, Workplace
from trtnet.tools.tune.searching.budget import Budget
from trtnet.tools.tune.searching.contests import Group
from trtnet.tools.tune.searching.recording import Recorded, check_same, concluded
from trtnet.tools.tune.searching.search import search

ROUND = 3
"""Small networks that each process builds before they are timed: so no process waits long for the last one."""


@dataclass(frozen=True)
class How:
    """How a search goes: see :func:`tune`."""

    budget: float | None = None
    devices: tuple[int, ...] = (0,)
    builders: int = 0
    file: str | os.PathLike[str] | None = None
    resume: bool = False
    config: BuildConfig = field(default_factory=BuildConfig)
    progress: bool = False
    approximations: bool = False


def tune(
    model: Model,
    inputs: Mapping[str, Declared] | None = None,
    weights: Source | None = None,
    *,
    dims: Dims = MappingProxyType({}),
    dtype: DTypes = "float32",
    arrays: Arrays | None = None,
    ignored: Sequence[str] = IGNORED,
    budget: float | None = None,
    devices: Sequence[int] = (0,),
    builders: int = 0,
    file: str | os.PathLike[str] | None = None,
    resume: bool = False,
    config: BuildConfig | None = None,
    progress: bool = False,
    approximations: bool = False,
) -> Tuning:
    """Finds the forms of a model's operations that are the fastest on this machine's GPU.

    Starts from the neutral forms. Operations of one kind in equal surroundings get one form. Each form is timed in a
    small network, then those that were faster in the whole one: in turns, as CUDA graphs. A form must be faster beyond
    the spread of the times, and its error from float32 at most 1.5 times the neutral form's. The processes that build
    and time get a copy of the model: a script calls this below ``if __name__ == "__main__":``.

    model, inputs, weights, dtype, ignored: as in define. dims: for each dynamic dimension its size, or (min, opt, max)
    to be timed at opt. arrays: the inputs' values by name; random ones without. budget: seconds, None for as long as it
    takes. devices: the GPUs, of one kind, as torch counts. builders: processes that build; 0 for one a core (one in all
    with TensorRT, which times kernels while it builds). file: where the result is kept, after each measurement.
    resume: goes on with what the file has. config: options of the build. progress: a line on standard error.
    approximations: also tries forms that compute another function, which define admits by approximations=True.
    Returns the result, which ``define(forms=...)`` takes.
    Raises DeviceError without a GPU, InputError for dimensions without a size and for results that are not finite in
    float32, and what define and build raise.
    """
    module = as_module(model)
    specs = declared(module.inputs if inputs is None else inputs, model=module)
    subject = Given(model, with_sizes(specs, dims), weights, dtype, ignored)
    how = How(budget, tuple(devices), builders, file, resume, config or BuildConfig(), progress, approximations)
    return run(subject, type(module).__name__, dims, arrays or {}, how)


def run(
    subject: Subject,
    name: str,
    dims: Dims,
    arrays: Arrays,
    how: How,
    machine: Callable[[Sequence[int]], Machine] = this_machine,
) -> Tuning:
    """The search, as :func:`tune` says. machine: what the GPUs are."""
    gpu = machine(how.devices)  # before any work
    budget = Budget(how.budget)
    with (
        StatusLine(how.progress, "the network") as told,
        tempfile.TemporaryDirectory(prefix="trtnet-tune-") as folder,
    ):
        neutral = subject.define(NeutralBut({}))
        ranges = {size: dims[size] for size in neutral.dims if size in dims}
        begun = _begun(neutral, name, ranges, gpu)
        recorder = _Recorder(begun, how)
        place = _prepared(Path(folder), subject, neutral, ranges, arrays)
        setup = Setup(ranges, how.config, how.devices, how.builders or builders_here())
        with Processes(place, setup, budget, told) as processes:
            groups, ordered_by = _groups(neutral, processes, place, how.approximations)
            recorder.tuning = replace(recorder.tuning, ordered_by=ordered_by)
            measurer = Recorded(processes, recorder.known, recorder)
            found = search(groups, measurer, budget, ROUND * setup.builders, told)
        tuned = subject.define(NeutralBut(by_path(found.variant, groups), place.there))
        return recorder.end(concluded(recorder.tuning, groups, neutral, tuned, found))


def builders_here() -> int:
    """So many builds run side by side: TensorRT's would time each other's kernels."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores if backend.name() == "tensorrt_rtx" else 1


class _Recorder:
    """The file, if there is one. known: the contests that it has."""

    def __init__(self, begun: Tuning, how: How) -> None:
        self.tuning, self._file = begun, how.file
        if how.resume:
            if how.file is None or not Path(how.file).exists():
                raise InputError("--resume continues the file of an earlier search, given as -o FILE.tuning.json")
            before = Tuning.load(how.file)
            check_same(before, begun, os.fspath(how.file))
            self.tuning = replace(begun, contests=before.contests)
        self.known = self.tuning.contests
        self(self.known)

    def __call__(self, contests: Sequence[Mapping[str, Any]]) -> None:
        self.end(replace(self.tuning, contests=tuple(contests)))

    def end(self, tuning: Tuning) -> Tuning:
        self.tuning = tuning
        if self._file is not None:
            tuning.save(self._file)
        return tuning


def _begun(network: DefinedNetwork, name: str, dims: Mapping[str, DimRange], machine: Machine) -> Tuning:
    """What is known before anything is measured."""
    inputs = {info.name: {"shape": list(info.shape), "dtype": info.dtype} for info in describe(network).inputs}
    precision = network.precision
    dtype = {path: one.name for path, one in precision.by_path.items()} if precision.parts else precision.whole.name
    return Tuning(
        model=name,
        gpu=machine.gpu,
        compute_capability=machine.compute_capability,
        driver=machine.driver,
        backend=backend.name(),
        backend_version=backend.version(),
        trtnet_version=version(),
        date=datetime.date.today().isoformat(),
        inputs=inputs,
        dims={size: value if isinstance(value, int) else list(value) for size, value in dims.items()},
        dtype=dtype,
        unfinished="the search is under way, or was ended",
    )


def _prepared(
    folder: Path, subject: Subject, network: DefinedNetwork, dims: Mapping[str, DimRange], arrays: Arrays
) -> Workplace:
    """The folder of the processes, with the model and its inputs. Raises InputError for a dimension without a size."""
    place = Workplace(folder, network.forms.chosen)
    missing = [size for size in network.dims if size not in dims]
    if missing:
        raise InputError(f"give the size of {missing[0]}, as in --dim {missing[0]}=8: forms are timed at one size")
    sizes = {size: value if isinstance(value, int) else value[1] for size, value in dims.items()}
    subjects.write(subject, folder / "subject")
    place.save_inputs((), random_inputs(describe(network).inputs, sizes, seed=0) | arrays)
    return place


def _groups(
    neutral: DefinedNetwork, processes: Processes, place: Workplace, approximations: bool
) -> tuple[list[Group], str]:
    """The groups with their times, without the small networks that cannot be measured; and where times are from."""
    untimed = groups_of(neutral, approximations)
    parts = dict.fromkeys(group.part for group in untimed if group.part)
    uncut, times = processes.prepare([*parts])
    infos = describe(neutral).inputs
    arrays = place.inputs((), infos)
    shapes = {info.name: arrays[info.name].shape for info in infos if any(isinstance(n, str) for n in info.shape)}
    found = timed(untimed, times or estimated(neutral, shapes))
    groups = [replace(each, part=(), uncut=uncut[each.part]) if each.part in uncut else each for each in found]
    processes.use(groups)
    return groups, "profile" if times else "work"
