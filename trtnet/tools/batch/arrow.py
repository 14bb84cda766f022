"""Arrow's tables and numpy: the rows of a Parquet file, and results as columns of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from trtnet.support import dtypes
from trtnet.support.call_interface import TensorInfo
from trtnet.support.errors import DependencyError, InputError

Array = np.ndarray[Any, Any]
__all__ = ["column", "column_type", "pa", "parquet", "rows_of", "stored", "table", "type_of"]

try:
    import pyarrow as pa
    from pyarrow import parquet
except ImportError as error:
    raise DependencyError("batches are written as Parquet, by pyarrow: pip install 'trtnet[batch]'") from error


def rows_of(path: Path, count: int) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet file: numbers and lists of them are arrays, other values as Python has them.

    So are lists with nulls in them, and lists of lists of several lengths, which are no arrays.
    count: rows in memory at a time. Raises InputError for a file that is not Parquet, or has two columns of one name.
    """
    with _opened(path) as file:
        names = file.schema_arrow.names
        doubled = next((name for name in names if names.count(name) > 1), None)
        if doubled is not None:
            raise InputError(f"{path} has two columns that are called {doubled}; it has {', '.join(names)}")
        for batch in file.iter_batches(count):
            columns = {name: list(_values(batch.column(name))) for name in names}
            for index in range(batch.num_rows):
                yield {name: column[index] for name, column in columns.items()}


def type_of(path: Path, column: str) -> Any:
    """The Arrow type of a column of a Parquet file. Raises InputError for one that is not there."""
    with _opened(path) as file:
        schema = file.schema_arrow
    if column not in schema.names:
        raise InputError(f"{path} has no column {column!r}; it has {', '.join(schema.names)}")
    return schema.field(column).type


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with parquet.ParquetFile(path) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} is not a Parquet file that can be read: {error}") from error


def _values(column: Any) -> Iterator[Any]:
    """The values of a column. A list is an array, one in another too where all of these have one length."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        column, kind = column.storage, kind.storage_type
    if not pa.types.is_list(kind) and not pa.types.is_large_list(kind) and not pa.types.is_fixed_size_list(kind):
        yield from (_scalar(value, kind) for value in column.to_pylist())
        return
    inner = kind
    while pa.types.is_list(inner) or pa.types.is_large_list(inner) or pa.types.is_fixed_size_list(inner):
        inner = inner.value_type
    if not _is_number(inner):
        yield from column.to_pylist()
        return
    numbers = np.dtype(inner.to_pandas_dtype())
    for index in range(len(column)):
        yield _array(column[index], numbers)


def _scalar(value: Any, kind: Any) -> Any:
    return value if value is None or not _is_number(kind) else np.asarray(value, kind.to_pandas_dtype())


def _is_number(kind: Any) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)


def _array(value: Any, numbers: np.dtype[Any]) -> Array | list[Any] | None:
    """A list's array: a flat one without a copy, one of lists by way of Python. What is none is a list."""
    if not value.is_valid:
        return None
    values = value.values
    if pa.types.is_primitive(values.type) and not values.null_count:
        return np.asarray(values.to_numpy(zero_copy_only=False), numbers)
    found: list[Any] = value.as_py()
    if _has_nulls(values):  # numpy would make NaN of them
        return found
    try:
        return np.asarray(found, numbers)
    except ValueError:  # several lengths
        return found


def _has_nulls(values: Any) -> bool:
    while not pa.types.is_primitive(values.type) and not values.null_count:
        values = values.flatten()
    return bool(values.null_count)


def column_type(info: TensorInfo) -> Any:
    """The type of the column of an output: lists in lists, of fixed sizes where the output's are.

    Floats that Parquet does not have (bfloat16, float8) are float32 there, which has all their values.
    """
    made = pa.from_numpy_dtype(stored(info))
    for size in reversed(info.shape[1:]):
        made = pa.list_(made, size) if isinstance(size, int) else pa.list_(made)
    return made


def stored(info: TensorInfo) -> np.dtype[Any]:
    """The dtype in which an output is written."""
    known = dtypes.get(info.dtype)
    return np.dtype(np.float32) if known.is_floating and known.name not in _FLOATS else np.dtype(known.numpy)


_FLOATS = ("float16", "float32", "float64")


def column(info: TensorInfo, rows: Sequence[Array]) -> Any:
    """The values of an output, of rows of one shape, as its column."""
    values = np.ascontiguousarray(np.stack(rows).astype(stored(info), copy=False))
    made = pa.array(values.reshape(-1))
    for axis in range(values.ndim - 1, 0, -1):
        size, count = values.shape[axis], prod(values.shape[:axis])
        if isinstance(info.shape[axis], int):
            made = pa.FixedSizeListArray.from_arrays(made, size)
        else:
            made = pa.ListArray.from_arrays(pa.array(np.arange(count + 1, dtype=np.int32) * size), made)
    return made


def table(columns: Mapping[str, Any], schema: Any) -> Any:
    """A table of columns; those that are not given are null. Every one has as many values as the first."""
    count = len(next(iter(columns.values())))
    made = [_column(columns[f.name], f.type) if f.name in columns else pa.nulls(count, f.type) for f in schema]
    return pa.Table.from_arrays(made, schema=schema)


def _column(values: Any, kind: Any) -> Any:
    if isinstance(values, pa.Array):
        return values
    if isinstance(kind, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(kind, pa.array(values, kind.storage_type))
    return pa.array(values, kind)
