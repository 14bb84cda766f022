"""Inputs that say sizes: TensorRT reads their values in host memory, when shapes are inferred and when it runs."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trtnet.support import dtypes
from trtnet.support.call_interface import TensorInfo, is_torch
from trtnet.support.errors import InputError

Values = tuple[int, ...]

VALUES = 256


def values_of(info: TensorInfo, given: Any) -> Values:
    """The values of a shape input: ints or an integer array on the CPU; one value may come bare.

    Raises InputError for anything else, and for another number of them.
    """
    if is_torch(given) and given.device.type != "cpu":
        raise InputError(f"input {info} is a shape input, which the host must know: give ints, or tensor.cpu()")
    found = given.tolist() if hasattr(given, "tolist") else given
    try:
        values = tuple(map(_integer, found if isinstance(found, list | tuple) else [found]))
    except TypeError:
        raise InputError(f"input {info} takes ints, or an array of integers; found {given!r}") from None
    if len(values) != len(info.values):
        raise InputError(f"input {info} takes values for {', '.join(info.values)}; found {given!r}")
    return values


def _integer(value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError
    return operator.index(value)


class HostMemory:
    """The values of a context's inputs, each combination in memory of its own: what is queued or captured may read it.

    They are kept until :meth:`clear`, which is to be called when :attr:`full`, once nothing that is queued reads them
    any more.
    """

    def __init__(self, inputs: Sequence[TensorInfo]) -> None:
        self._inputs = {info.name: info for info in inputs if info.values}
        self._arrays: dict[tuple[str, Values], np.ndarray[Any, Any]] = {}

    @property
    def full(self) -> bool:
        return len(self._arrays) >= VALUES

    def addresses(self, shapes: Mapping[str, Values]) -> dict[str, int]:
        """Where the values are, by input name. shapes: those of all inputs, with values for those that say sizes."""
        return {name: self._address(info, shapes[name]) for name, info in self._inputs.items()}

    def _address(self, info: TensorInfo, values: Values) -> int:
        key = (info.name, values)
        if key not in self._arrays:
            self._arrays[key] = np.array(values, dtypes.get(info.dtype).numpy)
        return self._arrays[key].ctypes.data

    def clear(self) -> None:
        self._arrays.clear()
