"""How engines and the reference are called: arguments to inputs by position or name, checked before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trtnet import dtypes
from trtnet.errors import InputError


@dataclass(frozen=True)
class TensorInfo:
    """One input or output: its name, its shape (an int, or the name of a dynamic dimension, an axis), its dtype.

    values: the names of its elements, for an input that says sizes.
    """

    name: str
    shape: tuple[int | str, ...]
    dtype: str
    values: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name} [{', '.join(map(str, self.shape))}] {self.dtype}"


def bind(inputs: Sequence[TensorInfo], args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Arrays by input name, in the order of the inputs. Raises InputError for missing, unknown or doubled ones."""
    names = [info.name for info in inputs]
    if len(args) > len(names):
        raise InputError(f"{len(args)} inputs given by position; {_takes(inputs)}")
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

    arrays: numpy or torch, by input name. Raises InputError for a wrong dtype, rank or fixed size, for an axis of size
    0, and for two sizes of one name.
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
            raise InputError(f"input {info} has {len(info.shape)} dimensions; {found}")
        for expected, size in zip(info.shape, array.shape, strict=True):
            if size == 0:
                raise InputError(f"input {info}: {found}; no axis may be empty")
            if isinstance(expected, int) and size != expected:
                raise InputError(f"input {info}: {found}")
            if isinstance(expected, str) and sizes.setdefault(expected, size) != size:
                raise InputError(f"input {info}: {expected} is {sizes[expected]} in {first[expected]}; {found}")
            first.setdefault(str(expected), info.name)
    return sizes


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


def is_torch(array: Any) -> bool:
    """Whether an array is a torch tensor, without importing torch."""
    return any(cls.__module__ == "torch" and cls.__name__ == "Tensor" for cls in type(array).__mro__)
