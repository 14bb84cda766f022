"""Jobs of `trtnet batch` over small arrays, by models that need neither TensorRT nor torch."""

from __future__ import annotations

import errno
import os
import signal
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trtnet.support.call_interface import TensorInfo
from trtnet.support.files import FileState
from trtnet.tools.batch.work import Job

ROWS = 5
"""Of a shard."""


@dataclass(frozen=True)
class Doubling:
    """Opens a model: x [batch, 2] float32 -> y [batch, 2] float32, twice of it.

    kills: the process is killed when a row begins with this number. kills_once, once: the same, but only while `once`
    is not a file, which is made then. full: while this is a file, rows from 10 on find the disk full.
    """

    kills: float | None = None
    kills_once: float | None = None
    once: str = ""
    full: str = ""

    identity = {"model": "doubling"}
    files = dict[str, FileState]()

    def open(self, device: int = 0) -> Any:
        return _Function(self)


class _Function:
    inputs = (TensorInfo("x", ("batch", 2), "float32"),)
    outputs = (TensorInfo("y", ("batch", 2), "float32"),)

    def __init__(self, made_by: Doubling) -> None:
        self._made_by = made_by

    def __call__(self, x: Any) -> Any:
        made_by = self._made_by
        first = made_by.kills_once in x[:, 0] and not Path(made_by.once).exists()
        if first:
            Path(made_by.once).touch()
        if first or made_by.kills in x[:, 0]:
            os.kill(os.getpid(), signal.SIGKILL)
        if made_by.full and Path(made_by.full).exists() and (x[:, 0] >= 10).any():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return 2 * x


def written(folder: Path, shards: int) -> Path:
    """A folder of Parquet files; the rows of all are numbered."""
    import pyarrow as pa
    from pyarrow import parquet

    folder.mkdir(exist_ok=True)
    for index in range(shards):
        numbers = np.arange(index * ROWS, (index + 1) * ROWS)
        rows = pa.array([[n, -n] for n in numbers.tolist()], pa.list_(pa.float32()))
        parquet.write_table(pa.table({"x": rows, "id": numbers}), folder / f"{index:03}.parquet")
    return folder


def job(folder: Path, model: Any = None, **options: Any) -> Job:
    """A job over ``folder/in`` to ``folder/out``."""
    return Job(model or Doubling(), folder / "in", folder / "out", "parquet", keep=("id",), batch=2, **options)


def check_results(out: Path, shards: int) -> None:
    """Each row is there once, with its result, in the file of its shard, and nothing else is."""
    from pyarrow import parquet

    files = sorted(out.rglob("*.parquet"))
    assert [file.name for file in files] == [f"{index:03}.parquet" for index in range(shards)]
    rows = [row for file in files for row in parquet.read_table(file).to_pylist()]
    assert Counter(row["id"] for row in rows) == Counter(range(shards * ROWS))
    for row in rows:
        number = row["id"]
        expected = {
            "file": f"{number // ROWS:03}.parquet",
            "row": number % ROWS,
            "id": number,
            "y": [2 * number, -2 * number],
        }
        assert row == expected
