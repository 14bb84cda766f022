"""The Parquet file of a shard's results: where each row is from, what was kept of it, and the outputs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from trtnet.support.call_interface import TensorInfo
from trtnet.support.errors import InputError
from trtnet.tools.batch.arrow import column, column_type, pa, parquet, table, type_of
from trtnet.tools.batch.predictions import Prediction
from trtnet.tools.batch.rows import TEXT
from trtnet.tools.batch.shards import Shard

GROUP = 1024
"""Rows that are written at a time."""


class ResultsFile:
    """Writes predictions in order. As a context manager, it is complete and on the disk at the end.

    schema: of :func:`schema_of`. Raises OSError if the disk is full.
    """

    def __init__(self, path: Path, schema: Any, outputs: Sequence[TensorInfo], keep: Sequence[str]) -> None:
        self._schema, self._outputs, self._keep = schema, outputs, keep
        self._file = path.open("wb")
        self._writer = parquet.ParquetWriter(self._file, schema)
        self._group: list[Prediction] = []
        self.rows = self.errors = self.nbytes = 0

    def add(self, prediction: Prediction) -> None:
        """Adds a row. Raises InputError for one without a field that is to be kept."""
        if self._group and (len(self._group) == GROUP or _form(prediction) != _form(self._group[0])):
            self._flush()
        self._group.append(prediction)

    def _flush(self) -> None:
        group, self._group = self._group, []
        rows = [each.row for each in group]
        columns: dict[str, Any] = {"file": [row.file for row in rows], "row": [row.index for row in rows]}
        columns["key"] = [row.key for row in rows]
        columns["error"] = [each.error or None for each in group]
        columns |= {name: [_kept(each, name) for each in group] for name in self._keep}
        if not group[0].error:
            columns |= {info.name: column(info, [each.outputs[info.name] for each in group]) for info in self._outputs}
        self._writer.write_table(table(columns, self._schema))
        self.rows += len(group)
        self.errors += sum(bool(each.error) for each in group)

    def __enter__(self) -> ResultsFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                if self._group:
                    self._flush()
                self._writer.close()
                self._file.flush()
                os.fsync(self._file.fileno())
                self.nbytes = self._file.tell()
        finally:
            with suppress(Exception):  # of what is not complete; it would be closed later, into a closed file
                self._writer.close()
            self._file.close()


def schema_of(
    kind: str, folder: Path, shard: Shard, outputs: Sequence[TensorInfo], keep: Sequence[str], record: bool
) -> Any:
    """The columns of a shard's results: file, row, key (of tars), what is kept, outputs, error (where they are kept).

    Raises InputError for two columns of one name, and for one to keep that is not there.
    """
    path = folder / shard.files[0].path
    columns = [("file", pa.string()), ("row", pa.int64())]
    columns += [("key", pa.string())] if kind == "tar" else []
    columns += [(name, _type(kind, path, name)) for name in keep]
    columns += [(info.name, column_type(info)) for info in outputs]
    columns += [("error", pa.string())] if record else []
    names = [name for name, _ in columns]
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled is not None:
        raise InputError(f"two columns of the results would be called {doubled}: {', '.join(names)}")
    return pa.schema(columns)


def _type(kind: str, path: Path, name: str) -> Any:
    if kind == "parquet":
        return type_of(path, name)
    if kind == "tar":
        if name.endswith("npy"):
            raise InputError(f"--keep {name}: arrays of a tar are not kept, but text, bytes and the key, in its column")
        return pa.string() if name in TEXT else pa.binary()
    if kind == "npz":
        from trtnet.verify.arrays.saved import read_npz

        arrays = read_npz(path)
        if name in arrays and arrays[name].ndim == 1:
            return _arrow(arrays[name].dtype, f"{path}: --keep {name}")
        raise InputError(f"{path} has no array {name!r} of one number a row to keep; it has {', '.join(arrays)}")
    raise InputError(f"--keep {name}: an image has nothing to keep but its name, which is in the column file")


def _arrow(dtype: Any, where: str) -> Any:
    try:
        return pa.from_numpy_dtype(dtype)
    except pa.ArrowException as error:
        raise InputError(f"{where}: Parquet has no {dtype}") from error


def _kept(prediction: Prediction, name: str) -> Any:
    if name not in prediction.row.fields:
        raise InputError(f"{prediction.row} has no {name} to keep; it has {', '.join(prediction.row.fields)}")
    value = prediction.row.fields[name]
    return value.tolist() if hasattr(value, "tolist") else value


def _form(prediction: Prediction) -> list[tuple[int, ...]] | None:
    """What rows that are written together have in common: the shapes of their outputs."""
    return None if prediction.error else [array.shape for array in prediction.outputs.values()]
