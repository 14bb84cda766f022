"""Reads the weights out of an ONNX file, without the package onnx: its initializers and its metadata.

Source: onnx.proto of the package onnx; protocol buffers' description of their encoding.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from trtnet.support.errors import CheckpointError

DTYPES: dict[int, np.dtype[Any]] = {
    1: np.dtype("<f4"),
    6: np.dtype("<i4"),
    7: np.dtype("<i8"),
    10: np.dtype("<f2"),
    11: np.dtype("<f8"),
}
"""Element types by TensorProto's numbers."""
_GRAPH, _METADATA = 7, 14  # of ModelProto
_INITIALIZER = 5  # of GraphProto
_DIMS, _DTYPE, _FLOATS, _NAME, _RAW, _LOCATION = 1, 2, 4, 8, 9, 14  # of TensorProto
_VARINT, _BYTES = 0, 2
_FIXED = {1: 8, 5: 4}
"""Bytes of fields of a fixed size, by their wire type."""


def read_onnx(path: str | PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """(the initializers by name, in the file's order; the metadata by key).

    Raises CheckpointError for a file that is no ONNX or damaged, for weights outside it, and for types other than
    floats, int32 and int64.
    """
    try:
        model = list(_fields(memoryview(Path(path).read_bytes())))
        graphs = [value for number, value in model if number == _GRAPH]
        tensors = [value for graph in graphs for number, value in _fields(graph) if number == _INITIALIZER]
        metadata = [dict(_fields(value)) for number, value in model if number == _METADATA]
        found = dict(map(_tensor, tensors))
        said = {str(entry[1], "utf-8"): str(entry.get(2, b""), "utf-8") for entry in metadata}
    except (IndexError, KeyError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path} is not a readable ONNX file: {error}") from error
    if not found:
        raise CheckpointError(f"{path} has no weights: it is not an ONNX file, or they are in another file")
    return found, said


def _tensor(data: memoryview) -> tuple[str, np.ndarray]:
    dims: list[int] = []
    values: dict[int, Any] = {_RAW: b""}
    for number, value in _fields(data):
        if number == _DIMS:
            dims += [value] if isinstance(value, int) else _varints(value)
        else:
            values[number] = value
    name = str(values[_NAME], "utf-8")
    if values.get(_LOCATION) or values[_DTYPE] not in DTYPES:
        raise ValueError(f"{name} is of type {values[_DTYPE]}, or in another file")
    array = np.frombuffer(values[_RAW] or values.get(_FLOATS, b""), DTYPES[values[_DTYPE]])
    if array.size != math.prod(dims):
        raise ValueError(f"{name} has {array.size} elements, not those of {dims}")
    return name, array.reshape(dims)


def _fields(data: memoryview) -> Iterator[tuple[int, Any]]:
    """(number, value) of each field of a message: an int, or bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        length = _FIXED.get(kind, 0)
        if kind == _BYTES:
            length, at = _varint(data, at)
        if not (length or kind == _BYTES) or at + length > len(data):
            raise ValueError(f"a field of wire type {kind} and {length} bytes at byte {at} of {len(data)}")
        yield number, data[at : at + length]
        at += length


def _varints(data: memoryview) -> list[int]:
    found, at = [], 0
    while at < len(data):
        value, at = _varint(data, at)
        found.append(value)
    return found


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """(the number at a byte, the byte after it)."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
