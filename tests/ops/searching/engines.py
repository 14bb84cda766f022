"""The search through engines: batches of cases a network, built side by side, run one after another, compared.

A batch that does not build or run is halved until the case that does it is alone. Inputs without elements are left out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from ops.searching.case import Case
from ops.searching.judging import FACTOR, difference
from ops.searching.outcomes import Outcome
from ops.searching.running import by_reference, define, oracle, torch_model
from ops.searching.table import TABLE
from rich.console import Console
from rich.table import Table

LEFT_OUT, EQUAL, REFERENCE, ENGINE, NOT_BUILT, NOT_RUN = KINDS = (
    "left out", "all equal", "reference differs", "engine differs", "not built", "not run",
)  # fmt: skip
FAULTS = (ENGINE, REFERENCE, NOT_BUILT, NOT_RUN)
ENGINE_FACTOR = 10 * FACTOR
"""An engine may fuse, reorder sums and use the GPU's approximate functions: ten times what the reference may."""
SECONDS_TO_BUILD, SECONDS_TO_RUN = 300, 120


@dataclass
class Result:
    """What came of a case. expected, reference: torch's results and the reference's."""

    case: Case
    kind: str = ""
    detail: str = ""
    expected: tuple[list[torch.Tensor], list[torch.Tensor] | None] | None = None
    reference: Sequence[torch.Tensor] = ()

    def data(self) -> dict[str, Any]:
        """For a JSON file."""
        return {"kind": self.kind, "detail": self.detail, "case": self.case.data()}


def search(cases: Iterable[Case], batch: int, jobs: int, *, fake: bool) -> list[Result]:
    """Runs all. fake: the reference stands in for the engine, which is built all the same."""
    results = [_on_cpu(case.contiguous) for case in cases]
    print(f"{sum(not r.kind for r in results)} of {len(results)} cases go into networks", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        waiting = list(_groups([r for r in results if not r.kind], batch, Path(folder)))
        while waiting:
            started = time.monotonic()
            built, failed = _build(waiting, jobs)
            print(f"{len(built)} networks built in {time.monotonic() - started:.0f} s, {len(failed)} not", flush=True)
            stopped = _run(built, fake=fake)
            print(
                f"{len(built) - len(stopped)} networks run, {len(stopped)} not; {time.monotonic() - started:.0f} s",
                flush=True,
            )
            for group in built:
                if group not in stopped:
                    group.judge()
            waiting = [
                half
                for group in (*failed, *stopped)
                for half in group.halves(NOT_BUILT if group in failed else NOT_RUN)
            ]
    return results


def _on_cpu(case: Case) -> Result:
    """torch's results and the reference's; what either refuses is left out."""
    if any(0 in operand.shape for operand in case.operands) or not case.operands:
        return Result(case, LEFT_OUT, "no elements")
    try:
        model = torch_model(case)
        expected = oracle(case, model, case.inputs())
        reference = by_reference(case, define(case, model, dynamic=False), case.inputs())
    except Exception as error:
        return Result(case, LEFT_OUT, f"{type(error).__name__}: {str(error).partition(chr(10))[0]}")
    if any(x.numel() == 0 for x in reference):
        return Result(case, LEFT_OUT, "no elements")
    return Result(case, expected=expected, reference=reference)


class Group:
    """The cases of one network, and the folder of its files."""

    def __init__(self, results: list[Result], folder: Path) -> None:
        self.results, self.folder = results, folder
        folder.mkdir(parents=True)
        (folder / "cases.json").write_text(json.dumps([r.case.data() for r in results]))

    @property
    def error(self) -> str:
        path = self.folder / "error"
        return path.read_text() if path.exists() else "the process ended"

    def judge(self) -> None:
        """Says of each case what its engine computed."""
        found = torch.load(self.folder / "results.pt")
        for result in self.results:
            count = len(result.reference)
            _judge(result, found[:count])
            del found[:count]

    def halves(self, kind: str) -> Iterator[Group]:
        """Two groups of its halves; a case that is alone is the one that does it."""
        if len(self.results) == 1:
            self.results[0].kind, self.results[0].detail = kind, self.error
            return
        middle = len(self.results) // 2
        for name, part in (("a", self.results[:middle]), ("b", self.results[middle:])):
            yield Group(part, self.folder.parent / f"{self.folder.name}{name}")


def _judge(result: Result, found: list[torch.Tensor]) -> None:
    assert result.expected is not None
    by_engine = difference(found, *result.expected, exact=result.case.exact, factor=ENGINE_FACTOR)
    by_reference_ = difference(result.reference, *result.expected, exact=result.case.exact)
    result.kind = ENGINE if by_engine else REFERENCE if by_reference_ else EQUAL
    result.detail = by_engine or by_reference_
    if by_engine:
        result.detail += f"; the largest distance {_distance(found, result.expected[0])}"


def _distance(found: Sequence[torch.Tensor], expected: Sequence[torch.Tensor]) -> str:
    try:
        distances = [(a.double() - b.double()).abs().nan_to_num().max() for a, b in zip(found, expected, strict=True)]
        return f"{float(max(distances)):.3g}"
    except (RuntimeError, ValueError):
        return "unknown"


def _groups(results: list[Result], batch: int, folder: Path) -> Iterator[Group]:
    """Batches of one dtype each."""
    by_dtype: dict[str, list[Result]] = {}
    for result in results:
        by_dtype.setdefault(result.case.dtype, []).append(result)
    for dtype, members in by_dtype.items():
        for start in range(0, len(members), batch):
            yield Group(members[start : start + batch], folder / f"{dtype}-{start:06}")


def _process(*arguments: str) -> subprocess.Popen[bytes]:
    path = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, sys.path)])
    command = [sys.executable, "-m", "ops.searching.batches", *arguments]
    return subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def _build(groups: list[Group], jobs: int) -> tuple[list[Group], list[Group]]:
    """(those that have a plan, those that have none): several processes, a few batches each."""
    each = max(1, min(4, len(groups) // max(jobs, 1)))
    waiting = [groups[i : i + each] for i in range(0, len(groups), each)]
    running: list[tuple[subprocess.Popen[bytes], float]] = []
    while waiting or running:
        while waiting and len(running) < jobs:
            part = waiting.pop(0)
            running.append(
                (_process("build", *(str(g.folder) for g in part)), time.monotonic() + SECONDS_TO_BUILD * len(part))
            )
        time.sleep(0.05)
        for process, end in running:
            if time.monotonic() > end:
                process.kill()
        running = [(process, end) for process, end in running if process.poll() is None]
    built = [group for group in groups if (group.folder / "plan").exists()]
    return built, [group for group in groups if group not in built]


def _run(groups: list[Group], *, fake: bool) -> list[Group]:
    """Those that did not run. A process that ends or hangs takes one batch with it; another goes on after that."""
    left = list(groups)
    while left:
        process = _process("fake" if fake else "run", *(str(group.folder) for group in left))
        done, since = -1, time.monotonic()
        while process.poll() is None:
            time.sleep(0.05)
            count = sum((group.folder / "begun").exists() for group in left)
            if count != done:
                done, since = count, time.monotonic()
            if time.monotonic() - since > SECONDS_TO_RUN:
                process.kill()
        left = [group for group in left if not (group.folder / "begun").exists()] if done > 0 else []
    return [group for group in groups if not (group.folder / "results.pt").exists()]


def print_table(results: Sequence[Result], console: Console) -> None:
    """The findings, then what came of the cases by family."""
    from ops.searching.reproducer import reproducer

    shown: Counter[str] = Counter()
    for result in results:
        if result.kind in FAULTS:
            shown[result.case.op] += 1
            if shown[result.case.op] <= 2:
                console.rule(f"{result.case.op}: {result.kind}: {result.detail[:300]}")
                console.print(reproducer(result.case, Outcome(result.kind, result.detail.partition("\n")[0], "static")),
                              markup=False, highlight=False, soft_wrap=True)  # fmt: skip
    table = Table(title=f"{len(results)} cases through engines", title_justify="left")
    for name in ("family", *KINDS, "cases"):
        table.add_column(name, justify="left" if name == "family" else "right")
    families: dict[str, Counter[str]] = {}
    for result in results:
        families.setdefault(TABLE[result.case.op].family, Counter())[result.kind] += 1
    families["all"] = sum(families.values(), Counter())
    for family, counts in families.items():
        table.add_row(family, *(str(counts[kind]) for kind in KINDS), str(counts.total()))
    console.print(table)
