"""The measurer of the search: processes that build side by side, and one for each GPU that times."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from trtnet.builder import BuildConfig, Dims
from trtnet.support.errors import BuildError, InputError, TrtnetError
from trtnet.tools.tune.choices.parts import Part
from trtnet.tools.tune.choices.variants import by_path
from trtnet.tools.tune.processes.building import Build, PartReference, Ready, Reference
from trtnet.tools.tune.processes.timing import Profile, Timing
from trtnet.tools.tune.processes.workplace import OnGpu, Workplace
from trtnet.tools.tune.searching.budget import Budget
from trtnet.tools.tune.searching.contests import NEUTRAL, NO_TIME, WHOLE, Contest, Group, Measured, Outcome, Variant
from trtnet.tools.workers import Answer, Handler, Pool

Key = tuple[Part, Variant]
"""What is built: a part, or the whole network (), with a variant's forms."""
GRACE = 60.0
"""Seconds that what is built may still be timed in when the time is over."""


@dataclass(frozen=True)
class Setup:
    """How it is built and measured.

    dims: of the whole network. devices: the GPUs. builders: processes that build. warm: whether kernels are compiled
    on the GPU right after a build.
    """

    dims: Dims
    config: BuildConfig
    devices: tuple[int, ...]
    builders: int
    warm: bool = True


def check_accurate(error: float) -> None:
    """Raises InputError for neutral forms that compute nothing to compare with: 16-bit floats overflow."""
    if not error < 1:
        raise InputError(
            f"with neutral forms the engine's results are far from float32's: relative L2 {error:.1e}. Give weights"
            f" that fit the dtype, as by --weights FILE, or another dtype; `trtnet bisect` finds the module"
        )


class Processes:
    """Builds and times. Everything of a round is built before any of it is timed, so that builds disturb no time.

    gpu: makes what times on a GPU, in a process of its own.
    """

    def __init__(
        self,
        place: Workplace,
        setup: Setup,
        budget: Budget,
        told: Callable[[str], None] = lambda text: None,
        gpu: Callable[[Workplace, int], Handler] = OnGpu,
    ) -> None:
        self._place, self._setup, self._budget, self._told = place, setup, budget, told
        self._builders = Pool([place] * setup.builders)
        self._gpus = Pool([gpu(place, device) for device in setup.devices])
        self._groups: dict[str, Group] = {}
        self._numbers: dict[Key, int] = {}
        self._failed: dict[Key, str] = {}
        self._measured: set[str] = set()
        self._count = 0

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        self._builders.close()
        self._gpus.close()

    def prepare(self, parts: Sequence[Part]) -> tuple[dict[Part, str], dict[str, float]]:
        """(why parts cannot be measured, the milliseconds of modules with neutral forms; {} where they are not told).

        Raises BuildError for a network that does not build or run, and with what the reference raised.
        """
        self._told("the results in float32, and the engine with neutral forms")
        build = self._build(((), NEUTRAL))
        others = [Ready()] * (self._setup.builders - 2)
        answers = dict(self._builders.answers([Reference(tuple(parts)), build, *others]))
        for index, what in ((0, "the network could not be computed in float32"), (1, "the network does not build")):
            if answers[index].failed:
                raise BuildError(f"{what}: {answers[index].failed}")
        self._numbers[(), NEUTRAL] = build.number
        uncut = answers[0].result | self._part_references([part for part in parts if part not in answers[0].result])
        self._told("the times of its modules")
        ((_, profile),) = self._gpus.answers([Profile(build.number)])
        ((_, timing),) = self._gpus.answers([Timing((build.number,), (), rounds=1)])
        failed = profile.failed or timing.failed or timing.result[0].failed
        if failed:
            raise TrtnetError(f"the engine with neutral forms does not run: {failed}")
        check_accurate(timing.result[0].error)
        return uncut, profile.result

    def _part_references(self, parts: Sequence[Part]) -> dict[Part, str]:
        """Why parts cannot be measured."""
        self._told("the results of small networks in float32")
        answers = self._builders.answers([PartReference(part) for part in parts])
        return {parts[index]: why for index, answer in answers if (why := answer.failed or answer.result)}

    def use(self, groups: Sequence[Group]) -> None:
        """The groups that contests are of."""
        self._groups = {group.name: group for group in groups}

    def measure(self, contests: Sequence[Contest]) -> Iterator[tuple[Contest, Outcome]]:
        """What the search asks for: see ``Measurer``."""
        keys = [(self._part(contest), variant) for contest in contests for variant in contest.variants]
        if any(contest.where == WHOLE for contest in contests):
            self._forget([key for key in self._numbers if key not in (*keys, ((), NEUTRAL))])
        self._build_all([key for key in dict.fromkeys(keys) if key not in self._numbers and key not in self._failed])
        ready = [contest for contest in contests if self._is_ready(contest)]
        yield from self._timed(ready)
        for contest in contests:
            if contest.where:
                self._drop(contest)

    def _part(self, contest: Contest) -> Part:
        return self._groups[contest.where].part if contest.where else ()

    def _build(self, key: Key) -> Build:
        part, variant = key
        self._count += 1
        devices = self._setup.devices
        device = devices[self._count % len(devices)] if self._setup.warm else None
        forms = by_path(variant, [*self._groups.values()])
        return Build(self._count, forms, part, self._setup.dims, self._setup.config, device)

    def _build_all(self, keys: Sequence[Key]) -> None:
        tasks = [self._build(key) for key in keys]
        for done, (index, answer) in enumerate(self._builders.answers(tasks, self._budget.left), 1):
            self._told(f"{done} of {len(keys)} engines built")
            if answer.failed:
                self._failed[keys[index]] = answer.failed
            elif not answer.late:
                self._numbers[keys[index]] = tasks[index].number

    def _is_ready(self, contest: Contest) -> bool:
        """Whether its baseline and another variant are built, or will not be."""
        known = [self._is_known((self._part(contest), variant)) for variant in contest.variants]
        return known[0] and any(known[1:])

    def _is_known(self, key: Key) -> bool:
        return key in self._numbers or key in self._failed

    def _timed(self, contests: Sequence[Contest]) -> Iterator[tuple[Contest, Outcome]]:
        tasks = [self._timing(contest) for contest in contests]
        for index, answer in self._ask_gpus(tasks):
            contest, measured = contests[index], dict(zip(tasks[index].numbers, answer.result or (), strict=False))
            if answer.failed:
                self._blame(contest, answer.failed)
                yield from self._timed([contest])
            elif not answer.late:
                yield contest, tuple(self._found(contest, variant, measured) for variant in contest.variants)

    def _timing(self, contest: Contest) -> Timing:
        part = self._part(contest)
        built = (self._numbers.get((part, variant)) for variant in contest.variants)
        return Timing(tuple(number for number in built if number is not None), part)

    def _found(self, contest: Contest, variant: Variant, measured: Mapping[int, Measured]) -> Measured:
        key = self._part(contest), variant
        if key in self._numbers:
            return measured[self._numbers[key]]
        return Measured(failed=self._failed.get(key, NO_TIME))

    def _blame(self, contest: Contest, failed: str) -> None:
        """Finds out with which variants the process of the GPU ended: they have failed, or all where it is none."""
        part = self._part(contest)
        built = [variant for variant in contest.variants if (part, variant) in self._numbers]
        tasks = [Timing((self._numbers[part, variant],), part, rounds=1) for variant in built]
        guilty = [built[index] for index, answer in self._ask_gpus(tasks) if answer.failed]
        for variant in guilty or built:
            self._failed[part, variant] = failed
            del self._numbers[part, variant]

    def _ask_gpus(self, tasks: Sequence[Timing]) -> Iterator[tuple[int, Answer]]:
        return self._gpus.answers(tasks, lambda: max(self._budget.left(), 0.0) + GRACE)

    def _drop(self, contest: Contest) -> None:
        """The engines of a part that no other contest needs: groups in one part have one neutral engine."""
        part = self._part(contest)
        self._measured.add(contest.where)
        shared = any(each.part == part for name, each in self._groups.items() if name not in self._measured)
        self._forget([(part, variant) for variant in contest.variants if not shared or variant != NEUTRAL])

    def _forget(self, keys: Sequence[Key]) -> None:
        """Deletes engines: a hundred of a large model fill a disk."""
        for number in (self._numbers.pop(key) for key in keys if key in self._numbers):
            for file in self._place.folder.glob(f"{number}.engine*"):
                file.unlink(missing_ok=True)
