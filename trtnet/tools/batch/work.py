"""What a worker does: opens the model once, and takes one shard after another."""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from trtnet.support.errors import TrtnetError
from trtnet.support.files import FileState
from trtnet.tools.batch.inputs import InputOptions, Inputs
from trtnet.tools.batch.ledger import Finished, staged_name, staging
from trtnet.tools.batch.predictions import Prepare, check_batched, checked, predictions
from trtnet.tools.batch.rows import read
from trtnet.tools.batch.shards import Shard, check_as_planned

FULL = (errno.ENOSPC, errno.EDQUOT)


class Opens(Protocol):
    """Opens what is called: ``Callable`` of trtnet.tools.targets. It can be sent to another process."""

    def open(self, device: int = 0) -> Any:
        """An engine on a GPU, or what is called like one."""

    @property
    def identity(self) -> dict[str, Any]:
        """What its results depend on beside files, as JSON."""

    @property
    def files(self) -> dict[str, FileState]:
        """The files that its results depend on, by what they are."""


@dataclass(frozen=True)
class Job:
    """A model over the rows of a folder.

    kind: of the files. out: the folder of the results. inputs: how rows become inputs. keep: fields of rows that are
    written with the results. batch: rows in a call. record: whether rows that do not fit become rows with an error.
    """

    model: Opens
    folder: Path
    out: Path
    kind: str
    inputs: InputOptions = field(default_factory=InputOptions)
    keep: tuple[str, ...] = ()
    batch: int = 32
    record: bool = False


@dataclass(frozen=True)
class Outcome:
    """Of a shard: its results, or why there are none. fatal: for a reason that all others have, such as a full disk."""

    shard: Shard
    finished: Finished | None = None
    failed: str = ""
    fatal: bool = False


@dataclass
class Worker:
    """The handler of a process, or of an actor. device: the number of its GPU."""

    job: Job
    device: int = 0

    def __call__(self, shard: Shard) -> Outcome:
        """Writes a shard's results, not yet under their name. Whatever fails is in the outcome."""
        try:
            function, inputs = self._opened
        except TrtnetError as error:
            return Outcome(shard, failed=str(error), fatal=True)
        try:
            return Outcome(shard, self._written(shard, function, inputs))
        except TrtnetError as error:
            return Outcome(shard, failed=str(error))
        except OSError as error:
            return Outcome(shard, failed=f"{type(error).__name__}: {error}", fatal=error.errno in FULL)
        except Exception as error:  # what a user's function raises is this shard's fault alone
            return Outcome(shard, failed=f"{type(error).__name__}: {error}")

    def _written(self, shard: Shard, function: Any, inputs: Prepare) -> Finished:
        from trtnet.tools.batch.results import ResultsFile, schema_of

        job = self.job
        schema = schema_of(job.kind, job.folder, shard, function.outputs, job.keep, job.record)
        name = staged_name()
        path = staging(job.out) / name
        rows = read(job.kind, job.folder, shard)
        try:
            with ResultsFile(path, schema, function.outputs, job.keep) as file:
                for each in predictions(function, rows, inputs, job.batch, job.record):
                    file.add(each)
            check_as_planned(job.folder, shard)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return Finished(shard, name, file.rows, file.errors, file.nbytes)

    @cached_property
    def _opened(self) -> tuple[Any, Prepare]:
        function = self.job.model.open(self.device)
        if hasattr(function, "open"):  # an engine, which is on the GPU from its first call
            function.open()
        check_batched(function)
        return function, checked(function, Inputs(function.inputs, self.job.inputs), self.job.batch)

    def __getstate__(self) -> dict[str, Any]:
        return {"job": self.job, "device": self.device}


def on_devices(job: Job, devices: tuple[int, ...], workers: int) -> list[Worker]:
    """So many workers, dealt to the GPUs."""
    return [Worker(job, devices[index % len(devices)]) for index in range(workers)]
