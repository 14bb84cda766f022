"""A job: shards that are not finished go to workers, what comes back is entered in the ledger, and nothing is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

from trtnet.support.errors import InputError, TrtnetError
from trtnet.support.files import FileState, digest
from trtnet.support.text.counted import counted
from trtnet.tools.batch.first_rows import check_names
from trtnet.tools.batch.ledger import Ledger, opened
from trtnet.tools.batch.shards import Shard, check_free, check_unchanged, find, plan
from trtnet.tools.batch.work import Job, Outcome, Worker, on_devices
from trtnet.tools.workers import Pool

ATTEMPTS = 3
"""How often a shard is tried whose worker ends in the middle of it."""

Run = Callable[[Job, Sequence[Shard]], Generator[Outcome]]
"""Takes shards to workers and gives outcomes as they come: each shard's once."""


@dataclass(frozen=True)
class Summary:
    """Of a job that is done. before: shards that were finished before; rows, errors: of all shards."""

    shards: int
    before: int
    rows: int
    errors: int
    nbytes: int
    seconds: float


class JobError(TrtnetError):
    """Shards could not be done; the others are finished, and the same job does only what is missing.

    failed: why, by the shard's file, or its name.
    """

    def __init__(self, failed: dict[str, str], done: int) -> None:
        self.failed = failed
        first = "\n".join(f"  {name}: {text}" for name, text in [*failed.items()][:10])
        more = f"\n  and {len(failed) - 10} more" if len(failed) > 10 else ""
        finished = "; the others are finished" if done else ""
        super().__init__(
            f"{len(failed)} of {counted(len(failed) + done, 'shard')} failed{finished}:\n{first}{more}\n"
            f"  The same command does what is missing"
        )


def run_job(job: Job, run: Run, images: int = 1024, told: Callable[[str], None] = lambda text: None) -> Summary:
    """Does what is not finished of a job.

    run: takes shards to workers. images: how many are a shard. told: is told how far it is.
    Raises InputError for an input folder that is none, names of fields that no row has, and another job's results,
    files among the results that are not of this job,
    FileError if the disk is full, JobError if shards fail. In each case, the same job goes on where it was.
    """
    began = time.monotonic()
    if job.out.resolve().is_relative_to(job.folder.resolve()):
        raise InputError(f"the results would be among the inputs: {job.out} is in {job.folder}")
    _, sources = find(job.folder, job.kind)
    with opened(job.out, _identity(job)) as ledger:
        check_unchanged(sources, ledger.shards.values(), job.out)
        left = plan(job.kind, sources, ledger.shards, images)
        check_free(job.out, left)
        check_names(job, left)
        before = len(ledger.finished)
        with closing(run(job, left)) as outcomes:
            failed = _finish(ledger, outcomes, len(left), told)
        done = [*ledger.finished.values()]
        if failed:
            raise JobError(failed, len(done))
    rows, errors, nbytes = (sum(getattr(each, name) for each in done) for name in ("rows", "errors", "nbytes"))
    return Summary(len(done), before, rows, errors, nbytes, time.monotonic() - began)


def _finish(ledger: Ledger, outcomes: Iterator[Outcome], count: int, told: Callable[[str], None]) -> dict[str, str]:
    """Enters what comes back. Returns why shards failed, by their files or names."""
    failed: dict[str, str] = {}
    progress = _Progress(len(ledger.finished), count)
    for outcome in outcomes:
        if outcome.finished is not None:
            ledger.finish(outcome.finished)
            progress.rows += outcome.finished.rows
        elif outcome.fatal:
            raise TrtnetError(
                f"{outcome.failed}\n  {len(ledger.finished)} of {progress.before + count} shards are finished; the same"
                f" command does what is missing"
            )
        else:
            failed[str(outcome.shard)] = outcome.failed
        progress.done += 1
        told(progress.text)
    return failed


@dataclass
class _Progress:
    before: int
    count: int
    done: int = 0
    rows: int = 0

    def __post_init__(self) -> None:
        self._began = time.monotonic()

    @property
    def text(self) -> str:
        seconds = max(time.monotonic() - self._began, 1e-9)
        left = seconds / self.done * (self.count - self.done)
        return (
            f"{self.before + self.done} of {self.before + self.count} shards, {self.rows / seconds:,.0f} rows/s,"
            f" {int(left) // 60}:{int(left) % 60:02} left"
        )


def here(job: Job, shards: Sequence[Shard]) -> Generator[Outcome]:
    """Runs shards in this process, one after another."""
    yield from map(Worker(job), shards)


def in_processes(devices: tuple[int, ...], workers: int) -> Run:
    """Runs shards in processes, each with the model on one of the GPUs. A process that ends is replaced."""

    def run(job: Job, shards: Sequence[Shard]) -> Generator[Outcome]:
        left = list(shards)
        with Pool(on_devices(job, devices, max(1, min(workers, len(shards))))) as pool:
            for attempt in range(1, ATTEMPTS + 1):
                again: list[Shard] = []
                with closing(pool.answers(left)) as answers:
                    for index, answer in answers:
                        if answer.ended and attempt < ATTEMPTS:
                            again.append(left[index])
                        else:
                            yield answer.result or Outcome(left[index], failed=answer.failed)
                left = again

    return run


def _identity(job: Job) -> dict[str, Any]:
    """What the results depend on: options, and files by what they are: the path and what changes with the content."""
    files, prepare = dict(job.model.files), job.inputs.prepare
    if prepare is not None:
        path = prepare.rpartition(":")[0]
        files["prepare"] = FileState(path, digest(path))
    options = {"model": job.model.identity, "kind": job.kind, "inputs": asdict(job.inputs), "keep": [*job.keep]}
    return {"options": options | {"record": job.record}, "files": {name: [*file] for name, file in files.items()}}
