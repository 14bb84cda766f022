"""What the pickles of numpy say of arrays."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from trtnet.checkpoint.formats.pickled.machine import PickleError
from trtnet.support.text.counted import an

MOST_DIMENSIONS = 64


class ArrayParts:
    """An array of numpy while it is put together; None where it is of Python objects."""

    def __init__(self, *_: object) -> None:
        self.array: np.ndarray[Any, Any] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return () if self.array is None else self.array.shape

    def build_from_pickle(self, state: Any) -> None:
        """state: (version, shape, dtype, whether it is Fortran's order, bytes)."""
        _, shape, dtype, fortran, data = state
        self.array = _array(data, dtype, shape, "F" if fortran else "C")


class NumpyDType:
    """A numpy dtype: its letters, then its byte order. plain: None for one of Python objects or of fields."""

    def __init__(self, letters: object = "", *_: object) -> None:
        plain = isinstance(letters, str) and len(letters) < 8 and letters[:1] in tuple("fiub")
        self.plain: np.dtype[Any] | None = np.dtype(str(letters)) if plain else None

    def build_from_pickle(self, state: Any) -> None:
        """state: (version, byte order, ...)."""
        if self.plain is not None and isinstance(state, tuple) and state[1:2] and state[1] in ("<", ">"):
            self.plain = self.plain.newbyteorder(state[1])


def _array(data: Any, dtype: Any, shape: Any, order: Literal["C", "F"]) -> np.ndarray[Any, Any] | None:
    if not isinstance(dtype, NumpyDType) or dtype.plain is None or not isinstance(data, bytes | bytearray | str):
        return None
    # what Python 2 wrote is text of Latin-1 here
    raw = data.encode("latin-1") if isinstance(data, str) else bytes(data)
    return np.frombuffer(raw, dtype.plain).reshape(sizes_of(shape), order=order)


def array_of_buffer(data: Any = b"", dtype: Any = None, shape: Any = (), order: Any = "C", *_: Any) -> ArrayParts:
    """numpy's _frombuffer, by which protocol 5 writes arrays."""
    made = ArrayParts()
    made.array = _array(data, dtype, shape, "F" if order == "F" else "C")
    return made


def sizes_of(value: object) -> tuple[int, ...]:
    if not isinstance(value, tuple | list) or len(value) > MOST_DIMENSIONS or not all(is_size(n) for n in value):
        raise PickleError(f"it has a tensor of the impossible size {short(value)}")
    return tuple(value)


def is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62


def short(value: object) -> str:
    """A value that a pickle made, to print: it may be deep, and long."""
    if isinstance(value, tuple | list) and all(isinstance(n, int | str) and len(str(n)) < 30 for n in value[:9]):
        return str(tuple(value[:9]))
    return an(type(value).__name__)
