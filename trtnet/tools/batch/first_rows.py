"""The first rows of a job: do they have the fields that the command names? Asked once, not by every shard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from trtnet.support.errors import InputError
from trtnet.tools.batch.rows import Row, read
from trtnet.tools.batch.shards import Shard
from trtnet.tools.batch.work import Job
from trtnet.tools.targets.model_file import factory_in

LOOKED_AT = 3
"""Shards; a name is wrong if the first rows of all of them lack it."""


def check_names(job: Job, shards: Sequence[Shard]) -> None:
    """Raises InputError for a field to keep, or of an input, that the first rows lack, ModelError for `prepare`.

    Shards that cannot be read are left to the workers.
    """
    inputs = job.inputs
    if inputs.prepare is not None:
        factory_in(inputs.prepare)
    rows = list(islice(_first_rows(job, shards), LOOKED_AT))
    fields = {name for row in rows for name in row.fields}
    given = {f"--keep {name}": name for name in job.keep}
    if inputs.prepare is None:
        given |= {f"--column {name}={column}": column for name, column in inputs.columns.items()}
    for option, name in given.items():
        if rows and not {name, f"{name}.npy"} & fields:
            raise InputError(f"{option}: {rows[0]} has no such field; it has {', '.join(rows[0].fields)}")


def _first_rows(job: Job, shards: Sequence[Shard]) -> Iterator[Row]:
    for shard in shards:
        try:
            yield from islice(read(job.kind, job.folder, shard), 1)
        except InputError:
            continue
