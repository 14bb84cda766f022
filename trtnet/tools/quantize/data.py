"""Calibration data: arrays of samples, read in batches, as often as they are needed."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from trtnet.definition import DefinedNetwork
from trtnet.support import dtypes
from trtnet.support.call_interface import ACTIVE, StateInfo, TensorInfo, check, check_rows
from trtnet.support.errors import InputError
from trtnet.support.text.counted import counted
from trtnet.verify.arrays.saved import read_npz

log = logging.getLogger("trtnet.quantization")

Arrays = Mapping[str, np.ndarray[Any, Any]]
Data = Arrays | str | os.PathLike[str]
"""Arrays of samples by input, an .npz of them, or a folder of .npz files, each read when it is its turn."""
_STEPS = "number of steps"
_SHOWN = 5


def calls_of(data: Data, network: DefinedNetwork, size: int) -> Iterable[dict[str, np.ndarray[Any, Any]]]:
    """The calls that data makes for a network, the same at each pass. Raises InputError as Batches and Sequences do."""
    reference, states = network.reference(), {state.input for state in network.states}
    batches = Batches(data, reference.inputs, size)
    return batches if not states or states & batches.names else Sequences(data, reference, network.states, size)


class Batches:
    """The calls that data makes for a model, the same at each pass.

    takes: the inputs of the model. size: samples in a call, where the model's first axis does not say. what: these are,
    for messages.
    Raises InputError for data that is none, or that does not fit.
    """

    def __init__(self, data: Data, takes: Sequence[TensorInfo], size: int, what: str = "") -> None:
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise InputError(f"a call has at least one sample, found the batch {size!r}")
        if not isinstance(data, (Mapping, str, os.PathLike)):
            raise InputError(
                f"data is arrays of samples by input, an .npz file or a folder of them; found {type(data).__name__}"
            )
        self._takes, self._what = takes, what
        fixed = {info.shape[0] for info in takes if info.shape and isinstance(info.shape[0], int)}
        self._fixed = bool(fixed)
        self._size = int(min(fixed)) if fixed else size
        self._parts: list[Arrays | Path] = [data] if isinstance(data, Mapping) else [*_files(Path(data))]

    @property
    def names(self) -> set[str]:
        """The arrays that there are, of several files those of the first."""
        first = self._parts[0]
        return {*(read_npz(first) if isinstance(first, Path) else first)}

    def __iter__(self) -> Iterator[dict[str, np.ndarray[Any, Any]]]:
        for part in self._parts:
            if isinstance(part, Path):
                yield from self._calls(read_npz(part), str(part))
            else:
                yield from self._calls(part, "the data")

    def _calls(self, arrays: Arrays, name: str) -> Iterator[dict[str, np.ndarray[Any, Any]]]:
        missing = [info.name for info in self._takes if info.name not in arrays]
        if missing:
            has = ", ".join(arrays) or "no arrays"
            raise InputError(f"{name} does not have the input {missing[0]}; it has {has}")
        long = [info.name for info in self._takes if info.shape or np.ndim(arrays[info.name])]
        single = [each for each in long if not np.ndim(arrays[each])]
        if single:
            raise InputError(f"{name}: the input {single[0]} has samples along its first axis, found one number")
        counts = {each: len(arrays[each]) for each in long}
        count = min(counts.values(), default=1)
        if not count or len({*counts.values()}) > 1:
            found = ", ".join(f"{length:,} of {each}" for each, length in counts.items())
            raise InputError(f"{name}: the inputs have the same number of samples, at least one; found {found}")
        if self._fixed and count % self._size:
            raise InputError(f"{name} has {counted(count, 'sample')}; the model takes {self._size} at a time")
        for start in range(0, count, self._size):
            call = {info.name: self._taken(info, arrays[info.name], start, name) for info in self._takes}
            _check(self._takes, call, name, start, self._what)
            yield call

    def _taken(self, info: TensorInfo, array: Any, start: int, name: str) -> np.ndarray[Any, Any]:
        """What a call gets of an input's array: samples, or of an input that is one number that, or that of its sample.

        Raises InputError for such numbers of several samples in a call.
        """
        if info.shape:
            return np.asarray(array[start : start + self._size])
        if np.ndim(array) and self._size != 1:
            raise InputError(
                f"{name}: the input {info} is one number in a call of {counted(self._size, 'sample')}: give one for all"
                f" samples, or calls of one sample, batch=1 or --batch 1"
            )
        return np.asarray(array[start] if np.ndim(array) else array)


class Sequences:
    """The steps of sequences for a network with states, which begin with zeros: each input [samples, steps, ...].

    reference: of the network. states: its own. size: sequences at a time.
    Raises InputError for data that is none, or that does not fit.
    """

    def __init__(self, data: Data, reference: Any, states: Sequence[StateInfo], size: int) -> None:
        carried = {state.input for state in states}
        self._reference, self._states = reference, states
        self._all = {info.name: info for info in reference.inputs}
        self._takes = [info for info in reference.inputs if info.name not in {*carried, ACTIVE}]
        long = [
            replace(info, shape=(*info.shape[:1], _STEPS, *info.shape[1:])) if info.shape else info
            for info in self._takes
        ]
        self._batches = Batches(data, long, size, "data without the states is sequences, samples of steps: ")

    def __iter__(self) -> Iterator[dict[str, np.ndarray[Any, Any]]]:
        for call in self._batches:
            yield from self._steps(call)

    def _steps(self, call: Arrays) -> Iterator[dict[str, np.ndarray[Any, Any]]]:
        count, steps = next((array.shape[:2] for array in call.values() if array.ndim), (1, 1))
        held = {state.input: self._zeros(state, count) for state in self._states}
        held |= {ACTIVE: np.ones(count, bool)} if ACTIVE in self._all else {}
        for step in range(steps):
            given = {
                name: np.ascontiguousarray(array[:, step]) if array.ndim else array for name, array in call.items()
            }
            given |= held
            yield given
            if step + 1 < steps:
                results = self._reference(**given)
                held |= {state.input: results[state.output] for state in self._states}

    def _zeros(self, state: StateInfo, count: int) -> np.ndarray[Any, Any]:
        info = self._all[state.input]
        shape = tuple(count if axis == state.axis else size for axis, size in enumerate(info.shape))
        return np.zeros(shape, dtypes.get(info.dtype).numpy)


def _check(takes: Sequence[TensorInfo], call: Arrays, source: str, start: int, what: str) -> None:
    """Raises InputError for samples that do not fit, or are no numbers. An additive mask has negative infinities."""
    try:
        check(takes, call)
        check_rows(takes, call)
    except InputError as error:
        raise InputError(f"{source}: {what}{error}") from error
    for name, array in call.items():
        if array.dtype.kind != "f":
            continue
        spoiled = (np.isnan(array) | np.isposinf(array)).reshape(len(array) if array.ndim else 1, -1).any(1)
        if spoiled.any():
            raise InputError(
                f"{source}: sample {start + int(spoiled.argmax())} (from 0) of the input {name} has NaN or infinite"
                f" values, which calibrate nothing: leave it out"
            )


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise InputError(f"there is no {path}: data is an .npz file, or a folder of them")
    if not path.is_dir():
        if path.suffix != ".npz":
            raise InputError(f"{path} is no .npz file, and no folder of them")
        return [path]
    there = sorted(file for file in path.iterdir() if not file.name.startswith("."))
    found = [file for file in there if file.suffix == ".npz" and file.is_file()]
    others = [file.name for file in there if file not in found]
    names = ", ".join(others[:_SHOWN]) + (", ..." if len(others) > _SHOWN else "")
    if not found:
        raise InputError(f"the folder {path} has no .npz files; it has {names or 'nothing'}")
    if others:
        log.warning("%s: only .npz files are data; left out: %s", path, names)
    return found
