"""`trtnet run`: arrays from files into an engine, or into the reference executor, and a look at what comes out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import ml_dtypes  # noqa: F401  (numpy then reads and prints its dtypes)
import numpy as np
from rich.table import Table

from trtnet.support import dtypes
from trtnet.support.arrays import DAMAGED, not_numbers
from trtnet.support.call_interface import TensorInfo, by_name, check_rows
from trtnet.support.errors import InputError
from trtnet.support.text.did_you_mean import did_you_mean
from trtnet.verify.arrays.inputs import fits_in_memory
from trtnet.verify.arrays.saved import write_outputs

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class OutputSummary:
    """What `trtnet run` prints of one output."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    min: float
    mean: float
    max: float
    not_finite: int


def read_inputs(files: Mapping[str, str]) -> dict[str, Array]:
    """Arrays from ``.npy`` files by input name. Raises InputError for a file that is not an array."""
    return {name: _read(name, Path(path)) for name, path in files.items()}


def random_inputs(inputs: tuple[TensorInfo, ...], sizes: Mapping[str, int], seed: int) -> dict[str, Array]:
    """Standard normal floats, or integers 0 and 1, of the inputs' shapes and dtypes.

    sizes: of dynamic axes, and the values of inputs that say sizes. Raises InputError for one that is missing.
    """
    rng = np.random.default_rng(seed)
    return {info.name: _random(info, sizes, rng) for info in inputs}


def call(function: Any, inputs: Mapping[str, Array]) -> tuple[dict[str, Array], float]:
    """(outputs by name, seconds) of one call of an engine or a reference.

    Raises InputError for an input that is missing or that there is not, and for an index of no row.
    """
    names = [info.name for info in function.inputs]
    if unknown := next((name for name in inputs if name not in names), None):
        raise InputError(f"there is no input {unknown!r}; {did_you_mean(unknown, names) or f'there are {names}'}")
    if missing := next((info for info in function.inputs if info.name not in inputs), None):
        raise InputError(
            f"input {missing} is missing: give --input {missing.name}=FILE.npy, or --random 0 for random values"
        )
    check_rows(function.inputs, inputs)
    start = time.perf_counter()
    result = function(**inputs)
    seconds = time.perf_counter() - start
    return by_name(result, function.outputs), seconds


def summarize(outputs: Mapping[str, Array]) -> list[OutputSummary]:
    """The range of each output, and how many of its values are NaN or infinite."""
    return [_summary(name, array) for name, array in outputs.items()]


def table(summaries: list[OutputSummary], seconds: float) -> Table:
    """The summaries, to read."""
    picture = Table(title=f"{seconds * 1e3:.1f} ms")
    for column in ("output", "shape", "dtype", "min", "mean", "max", "NaN or Inf"):
        picture.add_column(column)
    for s in summaries:
        numbers = (f"{value:.6g}" for value in (s.min, s.mean, s.max))
        picture.add_row(s.name, str(list(s.shape)), s.dtype, *numbers, str(s.not_finite))
    return picture


def to_json(summaries: list[OutputSummary], seconds: float) -> dict[str, Any]:
    """The summaries, for a program."""
    return {"seconds": seconds, "outputs": [asdict(summary) for summary in summaries]}


def save(outputs: Mapping[str, Array], path: Path) -> None:
    """Writes the outputs as an ``.npz`` or polygraphy's ``.json``, whole or not at all.

    bfloat16 and float8 become float32. Raises TrtnetError if it cannot be written.
    """
    write_outputs(path, {"trtnet": [outputs]})


def _read(name: str, path: Path) -> Array:
    try:
        array = np.load(path, allow_pickle=False)
    except OSError as error:
        raise InputError(f"input {name}: cannot read {path}: {error.strerror or error}") from error
    except DAMAGED as error:
        raise InputError(f"input {name}: {path} is not a .npy file of numbers: {not_numbers(error)}") from error
    if not isinstance(array, np.ndarray):
        held = ", ".join(array)
        raise InputError(f"input {name}: {path} is an archive of {held}: save one array for an input, by numpy.save")
    return array


def _random(info: TensorInfo, sizes: Mapping[str, int], rng: np.random.Generator) -> Array:
    missing = [size for size in (*info.shape, *info.values) if isinstance(size, str) and size not in sizes]
    if missing:
        raise InputError(f"input {info}: give the size of {missing[0]}, as in --dim {missing[0]}=1")
    shape = tuple(size if isinstance(size, int) else sizes[size] for size in info.shape)
    dtype = dtypes.get(info.dtype)
    if info.values:
        return np.array([sizes[name] for name in info.values], dtype.numpy).reshape(shape)
    with fits_in_memory(info, shape):
        values = rng.standard_normal(shape, np.float32) if dtype.is_floating else rng.integers(0, 2, shape)
        return values.astype(dtype.numpy)


def _summary(name: str, array: Array) -> OutputSummary:
    values = array.astype(np.float64)
    finite = values[np.isfinite(values)]
    low, mean, high = (float(f(finite)) if finite.size else float("nan") for f in (np.min, np.mean, np.max))
    return OutputSummary(name, array.shape, array.dtype.name, low, mean, high, int(values.size - finite.size))
