"""What the measurer builds, and what it keeps: processes that only note what they are asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from trtnet.builder import BuildConfig
from trtnet.tools.tune.processes import measuring
from trtnet.tools.tune.processes.building import Build, PartReference, Ready, Reference
from trtnet.tools.tune.processes.timing import Profile, Timing
from trtnet.tools.tune.processes.workplace import Workplace
from trtnet.tools.tune.searching.budget import Budget
from trtnet.tools.tune.searching.contests import NEUTRAL, WHOLE, Contest, Group, Measured
from trtnet.tools.workers import Answer


class Asked:
    """A pool that does tasks at once, and keeps them."""

    def __init__(self, handlers: Sequence[Any]) -> None:
        self.tasks: list[Any] = []

    def answers(self, tasks: Sequence[Any], left: Callable[[], float] = float) -> Iterator[tuple[int, Answer]]:
        self.tasks += tasks
        return ((index, Answer(_done(task))) for index, task in enumerate(tasks))

    def close(self) -> None:
        pass


def _done(task: Any) -> Any:
    if isinstance(task, Timing):
        return tuple(Measured((float(number),), 1e-3) for number in task.numbers)
    return {} if isinstance(task, Reference | Profile) else "" if isinstance(task, PartReference) else None


@pytest.fixture
def processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> measuring.Processes:
    monkeypatch.setattr(measuring, "Pool", Asked)
    made = measuring.Processes(Workplace(tmp_path), measuring.Setup({}, BuildConfig(), (0,), builders=5), Budget())
    made.use(
        [
            Group("gelu:a", "gelu", ("a.x",), 1.0, ("float32",), ("a",)),
            Group("stem:a", "stem", ("a.y",), 1.0, ("s2d",), ("a",)),
        ]
    )
    return made


def builds(processes: measuring.Processes) -> list[Build]:
    return [task for task in processes._builders.tasks if isinstance(task, Build)]  # type: ignore[attr-defined]


def test_groups_in_one_part_have_one_neutral_engine(processes: measuring.Processes, tmp_path: Path) -> None:
    gelu, stem = (
        Contest(name, (NEUTRAL, ((name, form),))) for name, form in (("gelu:a", "float32"), ("stem:a", "s2d"))
    )
    for number in (1, 2, 3):
        (tmp_path / f"{number}.engine").touch()
    ((_, outcome),) = processes.measure([gelu])
    assert [each.milliseconds for each in outcome] == [1.0, 2.0] and (tmp_path / "1.engine").exists()
    assert not (tmp_path / "2.engine").exists()
    ((_, outcome),) = processes.measure([stem])
    assert [each.milliseconds for each in outcome] == [1.0, 3.0] and [*tmp_path.iterdir()] == []
    assert [build.forms for build in builds(processes)] == [{}, {"gelu": {"a.x": "float32"}}, {"stem": {"a.y": "s2d"}}]


def test_engines_of_the_whole_network_are_kept_for_the_next_contest_alone(
    processes: measuring.Processes, tmp_path: Path
) -> None:
    first, second, both = (("gelu:a", "float32"),), (("stem:a", "s2d"),), (("gelu:a", "float32"), ("stem:a", "s2d"))
    for number in range(1, 6):
        (tmp_path / f"{number}.engine").touch()
    times = []
    for variants in ((NEUTRAL, first), (NEUTRAL, first, second), (NEUTRAL, both), (NEUTRAL, first)):
        ((_, outcome),) = processes.measure([Contest(WHOLE, variants)])
        times.append([each.milliseconds for each in outcome])
    assert times == [[1.0, 2.0], [1.0, 2.0, 3.0], [1.0, 4.0], [1.0, 5.0]]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["1.engine", "5.engine"]


def test_all_processes_define_the_model_while_the_first_two_prepare(processes: measuring.Processes) -> None:
    assert processes.prepare([("a",)]) == ({}, {})
    tasks = processes._builders.tasks  # type: ignore[attr-defined]
    assert [type(task) for task in tasks] == [Reference, Build, Ready, Ready, Ready, PartReference]
