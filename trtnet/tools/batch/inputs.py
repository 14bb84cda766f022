"""What a model takes, from the fields of a row: found by name, checked, images made to fit, never cast silently."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from trtnet.support import dtypes
from trtnet.support.call_interface import TensorInfo, check
from trtnet.support.errors import InputError, TrtnetError
from trtnet.support.source import at, raised_at
from trtnet.tools.batch.images import ImageOptions, fitted, takes_images
from trtnet.tools.batch.rows import fields_that_are_inputs, is_file
from trtnet.tools.targets.model_file import factory_in

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class InputOptions:
    """columns: the field of an input, by the input's name; by default one of its name, or the only one.

    cast: whether numbers may be rounded to an input's dtype. prepare: ``file.py:function``, which gets the fields of a
    row and gives others in their place. images: how images are made to fit.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    cast: bool = False
    prepare: str | None = None
    images: ImageOptions = field(default_factory=ImageOptions)


class Inputs:
    """Makes samples, without the batch axis, of rows. Raises InputError for a column of no input."""

    def __init__(self, takes: Sequence[TensorInfo], options: InputOptions) -> None:
        self._takes = tuple(replace(info, shape=info.shape[1:]) for info in takes)
        self._options = options
        names = [info.name for info in takes]
        for name in options.columns:
            if name not in names:
                raise InputError(f"--column {name}: the model has no such input; it has {', '.join(names)}")

    def __call__(self, fields: Mapping[str, Any]) -> dict[str, Array]:
        """The arrays of a row by input.

        Raises InputError if one is missing or does not fit, and for what the user's function raises.
        """
        found = fields if self._options.prepare is None else self._prepared(fields)
        if not isinstance(found, Mapping):
            raise InputError(f"{self._options.prepare} returned {type(found).__name__}; a dict of fields is needed")
        arrays = {info.name: self._array(info, found) for info in self._takes}
        check(self._takes, arrays)
        return arrays

    @cached_property
    def _prepare(self) -> Callable[..., Any]:
        assert self._options.prepare is not None
        return factory_in(self._options.prepare)

    def _prepared(self, fields: Mapping[str, Any]) -> Any:
        try:
            return self._prepare(dict(fields))
        except TrtnetError:
            raise
        except Exception as error:  # of the user's function
            text = f"--prepare {self._options.prepare}: {type(error).__name__}: {error}"
            raise InputError(at(raised_at(error), text)) from error

    def _array(self, info: TensorInfo, fields: Mapping[str, Any]) -> Array:
        value = fields[self._field(info.name, fields)]
        value = value["bytes"] if is_file(value) else value
        if takes_images(info) and (isinstance(value, bytes) or _is_picture(value, info)):
            return fitted(value, info, self._options.images)
        if value is None or isinstance(value, bytes | str | Mapping):
            raise InputError(f"input {info} takes an array; found {type(value).__name__}")
        return self._cast(info, _shaped(_array(value, info), info))

    def _field(self, name: str, fields: Mapping[str, Any]) -> str:
        wanted = self._options.columns.get(name, name)
        if wanted in fields:
            return wanted
        usable = fields_that_are_inputs(fields)
        arrays_of = [each for each in fields if each == f"{wanted}.npy"]
        if arrays_of:
            return arrays_of[0]
        if name not in self._options.columns and len(self._takes) == 1 and len(usable) == 1:
            return usable[0]
        has = ", ".join(fields) or "none"
        raise InputError(
            f"there is no field for the input {name}; the fields are {has}. Name one: --column {name}=FIELD"
        )

    def _cast(self, info: TensorInfo, array: Array) -> Array:
        wanted = np.dtype(dtypes.get(info.dtype).numpy)
        if array.dtype == wanted:
            return array
        try:
            floating = dtypes.get(array.dtype).is_floating
        except TypeError as error:
            raise InputError(f"input {info} takes numbers; found {array.dtype}") from error
        made = array.astype(wanted)
        if self._options.cast or np.array_equal(made.astype(array.dtype), array, equal_nan=floating):
            return made
        raise InputError(f"input {info}: found {array.dtype} values that it does not have; --cast rounds them")


def _array(value: Any, info: TensorInfo) -> Array:
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise InputError(f"input {info} takes an array; found lists of several lengths, which are none") from error
    if array.dtype == object:
        found = {"a null" if each is None else type(each).__name__ for each in array.flat}
        raise InputError(f"input {info} takes numbers; found {', '.join(sorted(found))}")
    return array


def _is_picture(value: Any, info: TensorInfo) -> bool:
    """Whether an array is pixels that do not yet have the input's form."""
    if not isinstance(value, np.ndarray) or value.dtype != np.uint8 or value.ndim not in (2, 3):
        return False
    channels = value.shape[2] if value.ndim == 3 else 1
    same = len(info.shape) == value.ndim and all(a in (b, str(a)) for a, b in zip(info.shape, value.shape, strict=True))
    return channels in (1, 3) and not (same and info.dtype == "uint8")


def _shaped(array: Array, info: TensorInfo) -> Array:
    """A flat list as an input of fixed sizes has it: Parquet's lists often are."""
    sizes = [size for size in info.shape if isinstance(size, int)]
    flat = array.ndim == 1 and len(info.shape) != 1 and len(sizes) == len(info.shape)
    return array.reshape(sizes) if flat and array.size == prod(sizes) else array
