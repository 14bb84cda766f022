"""What is fed to everything that is compared: given arrays, files, or random values of a seed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from math import ceil, isfinite
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from trtnet.support import dtypes
from trtnet.support.call_interface import TensorInfo, is_torch
from trtnet.support.errors import DTypeError, InputError
from trtnet.verify.arrays.feeding import Array, Arrays
from trtnet.verify.arrays.saved import read_iterations

Ranges = Mapping[str, tuple[float, float]]
"""By input name, (low, high): random values are at least low and less than high."""

Inputs = Mapping[str, Any] | Sequence[Mapping[str, Any]] | str | os.PathLike[str] | Any
"""Arrays by name, several such (one an iteration), a file of either, or one array for the only input."""


def given_inputs(inputs: Inputs, takes: Sequence[TensorInfo]) -> list[Arrays]:
    """The arrays of each iteration. Raises InputError for what is none of :data:`Inputs`."""
    if isinstance(inputs, str | os.PathLike):
        return read_iterations(Path(inputs))
    if isinstance(inputs, Mapping):
        return [{name: to_array(value, f"input {name}") for name, value in inputs.items()}]
    if isinstance(inputs, list | tuple) and inputs and all(isinstance(each, Mapping) for each in inputs):
        return [{name: to_array(value, f"input {name}") for name, value in each.items()} for each in inputs]
    if len(takes) > 1:
        raise InputError(
            f"one array was given for the inputs {', '.join(info.name for info in takes)}; give them by name"
        )
    name = takes[0].name if takes else "input"
    return [{name: to_array(inputs, f"input {name}")}]


def to_array(value: Any, what: str) -> Array:
    """A numpy array from one of numpy or torch, from numbers or lists of them. Raises InputError for anything else."""
    if is_torch(value):
        from trtnet.reference.step import to_numpy

        try:
            return to_numpy(value.detach().cpu())
        except DTypeError:
            raise
        except (TypeError, RuntimeError) as error:  # torch says so of sparse and nested tensors
            raise InputError(f"{what} takes an array; found a tensor that is none ({error})") from error
    array = np.asarray(value)
    try:
        dtypes.get(array.dtype)
    except TypeError as error:
        raise InputError(f"{what} takes an array; found {type(value).__name__} ({error})") from error
    return array


def merged(takes: Sequence[Sequence[TensorInfo]], dims: Mapping[str, int]) -> list[TensorInfo]:
    """What all that are compared can be fed: the first's inputs, with the sizes that `dims` or any of them fixes.

    takes: what each declares, by the same names or in the same order. A floating input has the narrowest dtype among
    them, so that no cast rounds it.
    Raises InputError for two sizes of one axis, and for a dimension that none has.
    """
    sizes = {size for infos in takes for info in infos for size in (*info.shape, *info.values) if isinstance(size, str)}
    for name in dims:
        if name not in sizes:
            known = ", ".join(sorted(sizes)) or "none: all axes are fixed"
            raise InputError(f"a size for {name}, which no input has; the dynamic dimensions are {known}")
    sized = [[_sized(info, dims) for info in infos] for infos in takes]
    return [_meet([_counterpart(info, place, infos) for infos in sized]) for place, info in enumerate(sized[0])]


def _sized(info: TensorInfo, dims: Mapping[str, int]) -> TensorInfo:
    return replace(info, shape=tuple(dims.get(str(size), size) for size in info.shape))


def _counterpart(info: TensorInfo, place: int, infos: Sequence[TensorInfo]) -> TensorInfo:
    named = {other.name: other for other in infos}
    return named.get(info.name) or (infos[place] if place < len(infos) else info)


def _meet(infos: Sequence[TensorInfo]) -> TensorInfo:
    first = infos[0]
    if len({len(info.shape) for info in infos}) > 1:
        raise InputError(f"input {first.name} has different ranks: {'; '.join(map(str, infos))}")
    shape: list[int | str] = []
    for axis, size in enumerate(first.shape):
        fixed = {info.shape[axis] for info in infos if isinstance(info.shape[axis], int)}
        if len(fixed) > 1:
            raise InputError(f"axis {axis} of input {first.name} has different sizes: {'; '.join(map(str, infos))}")
        shape.append(fixed.pop() if fixed else size)
    floating = [info.dtype for info in infos if dtypes.get(info.dtype).is_floating]
    narrowest = min(floating, key=lambda name: (dtypes.get(name).bits, name)) if floating else first.dtype
    rows = min((info.rows for info in infos if info.rows), default=0)
    return replace(first, shape=tuple(shape), dtype=narrowest, rows=rows)


def random_inputs(
    takes: Sequence[TensorInfo], dims: Mapping[str, int], ranges: Ranges, seed: int, iterations: int
) -> Iterator[Arrays]:
    """Random arrays for each iteration, the same for the same seed.

    Floats are standard normal, or uniform in their range; integers uniform in theirs, those of the rows of a table by
    default any of these; bools either. An input that says sizes says those of `dims`.
    Raises InputError for an integer input without a range, a dynamic dimension, and a range of no input.
    """
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise InputError(f"a seed is an integer of at least 0; found {seed!r}")
    for name in ranges:
        if all(name != info.name for info in takes):
            known = ", ".join(info.name for info in takes)
            raise InputError(f"a range for {name}, which is not an input; the inputs are {known}")
    ranges = {info.name: (0, info.rows) for info in takes if info.rows} | dict(ranges)
    for info in takes:
        _check_determined(info, dims, ranges)
    for iteration in range(iterations):
        rng = np.random.default_rng([seed, iteration])
        yield {info.name: _random(info, dims, ranges.get(info.name), rng) for info in takes}


def _check_determined(info: TensorInfo, dims: Mapping[str, int], ranges: Ranges) -> None:
    missing = [size for size in info.shape if isinstance(size, str)]
    missing += [size for size in info.values if size not in dims]
    if missing:
        raise InputError(f"input {info}: give the size of {missing[0]}: dims={{{missing[0]!r}: 1}}, or --dim")
    dtype = dtypes.get(info.dtype)
    _check_range(info, ranges.get(info.name, (0, 1)))
    if not dtype.is_floating and dtype.name != "bool" and not info.values and info.name not in ranges:
        raise InputError(
            f"input {info} has integers: give their range: ranges={{{info.name!r}: (0, 30000)}}, or --range; the"
            f" upper end is excluded"
        )


def _check_range(info: TensorInfo, limits: tuple[float, float]) -> None:
    try:
        low, high = limits
        has_values = isfinite(low) and isfinite(high) and low < high
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(
            f"input {info}: a range is two numbers, (0, 30000), the end excluded; found {limits!r}"
        ) from error
    dtype, said = dtypes.get(info.dtype), f"input {info}: the range ({low}, {high})"
    if not has_values:
        raise InputError(f"{said} is empty or not finite")
    if dtype.is_floating or dtype.name == "bool":
        return
    least, most = ceil(low), ceil(high) - 1
    held = ml_dtypes.iinfo(dtype.numpy)  # type: ignore[no-untyped-call]
    if least > most:
        raise InputError(f"{said} has no integers")
    if least < held.min or most > held.max:
        raise InputError(f"{said} has integers that {dtype} does not hold: {held.min} to {held.max}")


def _random(
    info: TensorInfo, dims: Mapping[str, int], limits: tuple[float, float] | None, rng: np.random.Generator
) -> Array:
    shape = tuple(int(size) for size in info.shape)
    dtype = dtypes.get(info.dtype)
    if info.values:
        return np.array([dims[size] for size in info.values], dtype.numpy).reshape(shape)
    low, high = (0, 1) if limits is None else limits
    with fits_in_memory(info, shape):
        if dtype.name == "bool":
            return rng.random(shape) < 0.5
        if limits is None:
            return rng.standard_normal(shape, np.float32).astype(dtype.numpy)
        values = rng.uniform(low, high, shape) if dtype.is_floating else rng.integers(ceil(low), ceil(high), shape)
        return values.astype(dtype.numpy)


def check_no_ranges(ranges: Ranges | None) -> None:
    """Raises InputError for ranges beside inputs that are given: only random ones are drawn within them."""
    if ranges:
        names = ", ".join(ranges)
        raise InputError(f"ranges are of random inputs, and the inputs are given: leave out the range of {names}")


def check_count(name: str, value: int) -> None:
    """Raises InputError for a number of calls that is no integer of at least 1: nothing would be compared."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise InputError(f"{name} is an integer of at least 1; found {value!r}")


@contextmanager
def fits_in_memory(info: TensorInfo, shape: tuple[int, ...]) -> Iterator[None]:
    """Makes an InputError of what numpy says of an array that is too large for it or for this machine."""
    try:
        yield
    except (MemoryError, ValueError) as error:
        raise InputError(f"input {info}: {list(shape)} is more than this machine holds; give smaller sizes") from error
