"""Ray: a model over a dataset of Ray Data, and `trtnet batch` on a cluster. The extra `trtnet[ray]` installs it.

Ray Data reads, moves and retries; an actor opens the model once and keeps it. :func:`map_batches` is one step of a
dataset of the user's own. :func:`in_actors` is for jobs that can be stopped and go on: Ray has no ledger of what is
finished, so whole shards go through its actors, and the ledger is that of ``trtnet batch``.
"""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trtnet.support.errors import DependencyError, ExecutionError, InputError
from trtnet.tools.batch.inputs import InputOptions, Inputs
from trtnet.tools.batch.job import ATTEMPTS, Run
from trtnet.tools.batch.predictions import check_batched, results
from trtnet.tools.batch.shards import Shard
from trtnet.tools.batch.work import Job, Opens, Outcome, Worker
from trtnet.tools.targets.function import Function

try:
    import ray
    import ray.data
except ImportError as error:
    raise DependencyError("Ray is not installed: pip install 'trtnet[ray]'") from error

from trtnet.support.call_interface import by_name

Array = np.ndarray[Any, Any]


class Predictor:
    """What Ray's actors do: the model is opened once, on the actor's GPU, and called with each batch of a dataset."""

    def __init__(self, model: Opens, inputs: InputOptions, batch: int) -> None:
        self._function = model.open()
        check_batched(self._function)
        self._inputs, self._batch = Inputs(self._function.inputs, inputs), batch

    def __call__(self, columns: dict[str, Array]) -> dict[str, Any]:
        """The columns with those of the outputs added.

        Raises InputError for rows that do not fit, ExecutionError for values that a reference does not take.
        """
        outputs = self._function.outputs
        for info in outputs:
            if info.name in columns:
                raise InputError(f"the dataset has a column {info.name} already, which is an output's name")
        count = len(next(iter(columns.values())))
        samples = (self._inputs({name: column[row] for name, column in columns.items()}) for row in range(count))
        rows = [self._row(result) for result in results(self._function, samples, self._batch)]
        return columns | {info.name: _column([row[info.name] for row in rows]) for info in outputs}

    def _row(self, result: Any) -> dict[str, Any]:
        if isinstance(result, ExecutionError):
            raise result
        return by_name(result, self._function.outputs)


def map_batches(
    dataset: Any,
    model: str | Path | Opens,
    *,
    batch_size: int = 32,
    inputs: InputOptions | None = None,
    concurrency: int | tuple[int, int] = 1,
    num_gpus: float | None = None,
    **options: Any,
) -> Any:
    """A dataset with a model's outputs as columns beside its own.

    dataset: of Ray Data. Its columns are the model's inputs by name, or as `inputs` says, without the batch axis;
    images are encoded, or [height, width, channels] uint8. model: an engine's file, which is on every machine; a
    ``trtnet.tools.targets.function.Function`` for the CPU reference of a model.
    batch_size: rows in a call. concurrency: actors, or (fewest, most). num_gpus: of an actor; by default one for an
    engine. options: others of Ray's ``map_batches``.
    Raises, when the dataset is computed, what opening the model raises, and InputError for rows that do not fit.
    """
    opens = Function(str(model)) if isinstance(model, str | Path) else model
    return dataset.map_batches(
        Predictor,
        fn_constructor_args=(opens, inputs or InputOptions(), batch_size),
        batch_size=batch_size,
        batch_format="numpy",
        concurrency=concurrency,
        num_gpus=_gpus(opens) if num_gpus is None else num_gpus,
        **options,
    )


def in_actors(actors: int | tuple[int, int], num_gpus: float | None = None) -> Run:
    """Runs the shards of a job (see ``trtnet.tools.batch.job.run_job``) in actors, each of which opens the model once.

    Ray starts an actor anew that ends, and gives its shard to another; a shard whose actors end as often as those of
    ``trtnet batch`` may fails, and the others go on. The folders are seen by all machines.
    """

    def run(job: Job, shards: Sequence[Shard]) -> Generator[Outcome]:
        if not shards:
            return
        dataset = ray.data.from_items(
            [{"shard": pickle.dumps(shard)} for shard in shards], override_num_blocks=len(shards)
        )
        outcomes = dataset.map_batches(
            _Shards,
            fn_constructor_args=(job, ray.remote(num_cpus=0)(_Attempts).remote()),
            batch_size=1,
            concurrency=actors,
            num_gpus=_gpus(job.model) if num_gpus is None else num_gpus,
        )
        for row in outcomes.iter_rows():
            yield pickle.loads(row["outcome"])

    return run


class _Attempts:
    """How often each shard was begun in this run: an actor of its own, since one that ends remembers nothing."""

    def __init__(self) -> None:
        self._begun: Counter[str] = Counter()

    def begin(self, shard: str) -> int:
        self._begun[shard] += 1
        return self._begun[shard]


class _Shards:
    def __init__(self, job: Job, attempts: Any) -> None:
        self._worker, self._attempts = Worker(job), attempts

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[bytes]]:
        return {"outcome": [pickle.dumps(self._outcome(pickle.loads(shard))) for shard in batch["shard"]]}

    def _outcome(self, shard: Shard) -> Outcome:
        if ray.get(self._attempts.begin.remote(shard.name)) > ATTEMPTS:
            return Outcome(shard, failed=f"its actor ended in the middle of it, {ATTEMPTS} times")
        return self._worker(shard)


def _gpus(model: Opens) -> float:
    return 1.0 if getattr(model, "is_engine", False) else 0.0


def _column(rows: Sequence[Array]) -> Any:
    """Rows of one shape as an array, of several as objects."""
    if len({row.shape for row in rows}) == 1:
        return np.stack(rows)
    made = np.empty(len(rows), object)
    made[:] = rows
    return made
