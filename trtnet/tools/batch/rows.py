"""The rows of a shard: what its files hold, one sample after another."""

from __future__ import annotations

import io
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trtnet.support.arrays import DAMAGED, not_numbers
from trtnet.support.errors import InputError
from trtnet.tools.batch.shards import KINDS, Shard, checked_utf8
from trtnet.tools.batch.tars import opened_tar

TEXT = ("txt", "json", "cls")
"""Ends of files in a tar that are text."""
ROWS = 1024
"""Rows of a Parquet file that are in memory at a time."""


@dataclass(frozen=True)
class Row:
    """A sample. file: where it is from, its path in the input folder; index: its place in it; key: its name in a tar.

    fields: arrays, text, or bytes of encoded images, by name; None is one that is damaged, as `damaged` says.
    """

    file: str
    index: int
    key: str | None
    fields: Mapping[str, Any]
    damaged: str = ""

    def __str__(self) -> str:
        return self.file if self.key is None and not self.index else f"{self.file}, row {self.key or self.index}"


def read(kind: str, folder: Path, shard: Shard) -> Iterator[Row]:
    """The rows of a shard, in order. Raises InputError for a file that cannot be read, or is not of the kind."""
    for source in shard.files:
        path = folder / source.path
        try:
            for index, (key, fields) in enumerate(_READERS[kind](path)):
                damaged = [str(value) for value in fields.values() if isinstance(value, _Damaged)]
                whole = {name: None if isinstance(value, _Damaged) else value for name, value in fields.items()}
                yield Row(source.path, index, key, whole, "; ".join(damaged))
        except (OSError, ValueError, tarfile.TarError, EOFError, zlib.error) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{path} cannot be read: {error}") from error


Found = Iterator[tuple[str | None, Mapping[str, Any]]]


def _image(path: Path) -> Found:
    yield None, {"image": path.read_bytes()}


def _npz(path: Path) -> Found:
    from trtnet.verify.arrays.saved import read_npz

    arrays = read_npz(path)
    counts = {name: array.shape[0] if array.ndim else 0 for name, array in arrays.items()}
    if len({*counts.values()}) > 1 or any(not array.ndim for array in arrays.values()):
        raise InputError(f"{path}: its arrays have different numbers of rows, their first axis: {counts}")
    for index in range(next(iter(counts.values()), 0)):
        yield None, {name: array[index] for name, array in arrays.items()}


def _tar(path: Path) -> Found:
    """Neighbouring files with one name up to the first dot are one sample, as in WebDataset."""
    key, fields = "", dict[str, Any]()
    for sample, end, data, name in _members(path):
        if fields and sample != key:
            yield key, fields
            fields = {}
        key = sample
        if end in fields:
            raise InputError(f"{path}: {name} is there twice in one sample")
        fields[end] = _decoded(end, data, name)
    if fields:
        yield key, fields


def _members(path: Path) -> Iterator[tuple[str, str, bytes, str]]:
    """(key of the sample, end, content, name) of the files in a tar that are fields of samples."""
    with opened_tar(path) as tar:
        for member in tar:
            folder, slash, name = checked_utf8(member.name, path).removeprefix("./").rpartition("/")
            stem, dot, end = name.partition(".")
            if member.isdir() or not dot or not stem:
                continue
            if not member.isfile():
                raise InputError(f"{path}: {member.name} is a link or a device, not a file: write it with its content")
            file = tar.extractfile(member)
            assert file is not None, "it is a regular file"
            yield f"{folder}{slash}{stem}", end, file.read(), member.name


class _Damaged(str):
    """In the place of a field that cannot be read: why."""


def _decoded(end: str, data: bytes, name: str) -> Any:
    """The field, or why it is damaged, which its sample alone is to have."""
    if end.endswith("npy"):
        try:
            return np.load(io.BytesIO(data), allow_pickle=False)
        except DAMAGED as error:
            return _Damaged(f"{name} is not a .npy file of numbers: {not_numbers(error)}")
    if end not in TEXT:
        return data
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        return _Damaged(f"{name} is not text in UTF-8: {error}")


def _parquet(path: Path) -> Found:
    from trtnet.tools.batch.arrow import rows_of

    for fields in rows_of(path, ROWS):
        yield None, fields


_READERS = {"images": _image, "npz": _npz, "tar": _tar, "parquet": _parquet}
assert _READERS.keys() == KINDS.keys()


def fields_that_are_inputs(fields: Mapping[str, Any]) -> Sequence[str]:
    """The names of fields that a model can take: arrays and encoded images."""
    return [name for name, value in fields.items() if not isinstance(value, str | None | dict) or is_file(value)]


def is_file(value: Any) -> bool:
    """Whether it is a file with its name, as Hugging Face's datasets have images."""
    return isinstance(value, dict) and isinstance(value.get("bytes"), bytes)
