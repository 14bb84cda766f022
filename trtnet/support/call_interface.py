"""How engines and the reference are called: arguments to inputs by position or name, checked; what they return."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trtnet.support import dtypes
from trtnet.support.arrays import is_torch as is_torch
from trtnet.support.errors import InputError
from trtnet.support.text.counted import counted


@dataclass(frozen=True)
class TensorInfo:
    """One input or output: its name, its shape (an int, or the name of a dynamic dimension, an axis), its dtype.

    values: the names of its elements, for a shape input. rows: of an input of indices, how many rows the table has that
    it chooses from, as an embedding does its tokens; 0 where it chooses from none.
    """

    name: str
    shape: tuple[int | str, ...]
    dtype: str
    values: tuple[str, ...] = ()
    rows: int = 0

    def __str__(self) -> str:
        return f"{self.name} [{', '.join(map(str, self.shape))}] {self.dtype}"


@dataclass(frozen=True)
class StateInfo:
    """What is carried from call to call: the input that gets it, the output that gives it, the axis of the streams.

    held: whether it stays as it is for streams that take no part in a call.
    """

    input: str
    output: str
    axis: int = 0
    held: bool = True


ACTIVE = "active"
"""The input [streams] bool that says which streams take part in a call; the states of the others stay as they are."""


def output_name(name: str, inputs: Container[str]) -> str:
    """The name of an output that a torch module has under `name`: ``output.sample`` where `sample` is an input."""
    return f"output.{name}" if name in inputs else name


class NamedOutputs(tuple[Any, ...]):
    """Several outputs of a call: ``boxes, scores = engine(image)`` in their order, ``outputs["boxes"]`` by name.

    A tuple of the values, with a mapping's ``keys``, ``values``, ``items`` and ``get`` beside it, so that
    ``dict(outputs)`` and ``engine(**outputs)`` work; ``name in outputs`` asks for a name. Raises KeyError for a name
    that there is not, and lists those that there are.
    """

    _names: tuple[str, ...]

    def __new__(cls, outputs: Mapping[str, Any]) -> NamedOutputs:
        made = super().__new__(cls, outputs.values())
        made._names = tuple(outputs)
        return made

    def __getitem__(self, which: Any) -> Any:
        if not isinstance(which, str):
            return super().__getitem__(which)
        if which not in self._names:
            raise KeyError(f"there is no output {which!r}; the outputs are {', '.join(self._names)}")
        return super().__getitem__(self._names.index(which))

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self.items()),)

    def __repr__(self) -> str:
        return f"NamedOutputs({', '.join(f'{name}={value!r}' for name, value in self.items())})"

    def keys(self) -> tuple[str, ...]:
        """The outputs' names, in order."""
        return self._names

    def values(self) -> tuple[Any, ...]:
        """The outputs, in order."""
        return tuple(self)

    def items(self) -> Iterator[tuple[str, Any]]:
        """(name, output), in order."""
        return zip(self._names, self, strict=True)

    def get(self, name: str, default: Any = None) -> Any:
        """The output of a name, or `default`."""
        return dict(self.items()).get(name, default)


def returned(outputs: Mapping[str, Any]) -> Any:
    """What a call returns: its only output as it is, several as :class:`NamedOutputs`."""
    return next(iter(outputs.values())) if len(outputs) == 1 else NamedOutputs(outputs)


def by_name(result: Any, outputs: Sequence[TensorInfo]) -> dict[str, Any]:
    """What a call returned as a dict by name. outputs: those of what was called."""
    return dict(result) if isinstance(result, NamedOutputs) else {outputs[0].name: result}


def bind(inputs: Sequence[TensorInfo], args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Arrays by input name, in the order of the inputs. Raises InputError for missing, unknown or doubled ones."""
    names = [info.name for info in inputs]
    if len(args) > len(names):
        raise InputError(f"{counted(len(args), 'input')} given by position; {_takes(inputs)}")
    given = dict(zip(names, args, strict=False))
    doubled, unknown = sorted(set(given) & set(kwargs)), sorted(set(kwargs) - set(names))
    if doubled:
        raise InputError(f"input {doubled[0]} is given by position and by name; {_takes(inputs)}")
    if unknown:
        raise InputError(f"there is no input {unknown[0]!r}; {_takes(inputs)}")
    given |= kwargs
    missing = [name for name in names if name not in given]
    if missing:
        raise InputError(f"input {missing[0]} is missing; {_takes(inputs)}")
    return {name: given[name] for name in names}


def _takes(inputs: Sequence[TensorInfo]) -> str:
    return "it takes " + ", ".join(map(str, inputs))


def check(inputs: Sequence[TensorInfo], arrays: Mapping[str, Any]) -> dict[str, int]:
    """The sizes of the named dimensions.

    arrays: numpy or torch, by input name; a dynamic axis may be empty. Raises InputError for a wrong dtype, rank or
    fixed size, and for two sizes of one name.
    """
    sizes: dict[str, int] = {}
    first: dict[str, str] = {}
    for info in inputs:
        array = arrays[info.name]
        found = f"found {_described(array)}"
        if not hasattr(array, "shape") or not hasattr(array, "dtype"):
            raise InputError(f"input {info} takes an array; found {type(array).__name__}")
        _check_dtype(info, array, found)
        if len(array.shape) != len(info.shape):
            raise InputError(f"input {info} has {counted(len(info.shape), 'dimension')}; {found}")
        for expected, size in zip(info.shape, array.shape, strict=True):
            if isinstance(expected, int) and size != expected:
                raise InputError(f"input {info}: {found}")
            if isinstance(expected, str) and sizes.setdefault(expected, size) != size:
                raise InputError(f"input {info}: {expected} is {sizes[expected]} in {first[expected]}; {found}")
            first.setdefault(str(expected), info.name)
    return sizes


def check_rows(inputs: Sequence[TensorInfo], arrays: Mapping[str, Any]) -> None:
    """Raises InputError for an index that a table of rows does not have, which an engine would not notice.

    arrays: by input name, on the host, which are read.
    """
    for info in inputs:
        array = np.asarray(arrays.get(info.name, ()))
        if info.rows and array.size and not -info.rows <= int(array.min()) <= int(array.max()) < info.rows:
            wrong = int(array.min() if array.min() < -info.rows else array.max())
            raise InputError(
                f"input {info}: the index {wrong} is out of range: its table has {counted(info.rows, 'row')}"
            )


def _check_dtype(info: TensorInfo, array: Any, found: str) -> None:
    try:
        same = dtypes.get(array.dtype).name == info.dtype
    except TypeError:
        same = False
    if not same:
        raise InputError(f"input {info}: {found}; convert it first, nothing is cast silently")


def _described(array: Any) -> str:
    shape = f"[{', '.join(map(str, getattr(array, 'shape', ())))}]"
    return f"{shape} {str(getattr(array, 'dtype', type(array).__name__)).removeprefix('torch.')}"
