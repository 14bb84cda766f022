"""Calibration data: arrays of samples, read in batches, as often as they are needed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trtnet.definition import DefinedNetwork
from trtnet.support import dtypes
from trtnet.support.call_interface import ACTIVE, StateInfo, TensorInfo
from trtnet.support.errors import InputError
from trtnet.support.text.counted import counted
from trtnet.verify.arrays.saved import read_npz

Arrays = Mapping[str, np.ndarray[Any, Any]]
Data = Arrays | str | os.PathLike[str]
"""Arrays of samples by input, an .npz of them, or a folder of .npz files, each read when it is its turn."""


def calls_of(data: Data, network: DefinedNetwork, size: int) -> Iterable[dict[str, np.ndarray[Any, Any]]]:
    """The calls that data makes for a network, the same at each pass. Raises InputError as Batches and Sequences do."""
    reference, states = network.reference(), {state.input for state in network.states}
    batches = Batches(data, reference.inputs, size)
    return batches if not states or states & batches.names else Sequences(data, reference, network.states, size)


class Batches:
    """The calls that data makes for a model, the same at each pass.

    takes: the inputs of the model. size: samples in a call, where the model's first axis does not say.
    Raises InputError for data that is none, or that does not fit.
    """

    def __init__(self, data: Data, takes: Sequence[TensorInfo], size: int) -> None:
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise InputError(f"a call has at least one sample, found the batch {size!r}")
        if not isinstance(data, (Mapping, str, os.PathLike)):
            raise InputError(
                f"data is arrays of samples by input, an .npz file or a folder of them; found {type(data).__name__}"
            )
        self._takes = takes
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
            raise InputError(f"{name} does not have the input {missing[0]}; it has {', '.join(arrays)}")
        single = [info.name for info in self._takes if not np.ndim(arrays[info.name])]
        if single:
            raise InputError(f"{name}: the input {single[0]} has samples along its first axis, found one number")
        counts = {len(arrays[info.name]) for info in self._takes}
        if len(counts) != 1 or not (count := counts.pop()):
            raise InputError(f"{name}: the inputs have the same number of samples, at least one")
        if self._fixed and count % self._size:
            raise InputError(f"{name} has {counted(count, 'sample')}; the model takes {self._size} at a time")
        for start in range(0, count, self._size):
            call = {info.name: np.asarray(arrays[info.name][start : start + self._size]) for info in self._takes}
            _check(call, name, start)
            yield call


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
        self._batches = Batches(data, self._takes, size)

    def __iter__(self) -> Iterator[dict[str, np.ndarray[Any, Any]]]:
        for call in self._batches:
            for info in self._takes:
                if call[info.name].ndim != len(info.shape) + 1:
                    raise InputError(
                        f"data without the states is sequences: the input {info.name} has samples, steps, and what"
                        f" {info} has after its first axis; found {list(call[info.name].shape)}"
                    )
            if len({call[info.name].shape[1] for info in self._takes}) != 1:
                raise InputError("the inputs of a sequence have the same number of steps")
            yield from self._steps(call)

    def _steps(self, call: Arrays) -> Iterator[dict[str, np.ndarray[Any, Any]]]:
        count, steps = next(iter(call.values())).shape[:2]
        held = {state.input: self._zeros(state, count) for state in self._states}
        held |= {ACTIVE: np.ones(count, bool)} if ACTIVE in self._all else {}
        for step in range(steps):
            given = {name: np.ascontiguousarray(array[:, step]) for name, array in call.items()} | held
            yield given
            if step + 1 < steps:
                results = self._reference(**given)
                held |= {state.input: results[state.output] for state in self._states}

    def _zeros(self, state: StateInfo, count: int) -> np.ndarray[Any, Any]:
        info = self._all[state.input]
        shape = tuple(count if axis == state.axis else size for axis, size in enumerate(info.shape))
        return np.zeros(shape, dtypes.get(info.dtype).numpy)


def _check(call: Arrays, source: str, start: int) -> None:
    """Raises InputError for samples that are no numbers. An additive mask has negative infinities."""
    for name, array in call.items():
        if array.dtype.kind != "f":
            continue
        spoiled = (np.isnan(array) | np.isposinf(array)).reshape(len(array), -1).any(1)
        if spoiled.any():
            raise InputError(
                f"{source}: sample {start + int(spoiled.argmax())} (from 0) of the input {name} has NaN or infinite"
                f" values, which calibrate nothing: leave it out"
            )


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise InputError(f"there is no {path}: data is an .npz file, or a folder of them")
    found = sorted(path.glob("*.npz")) if path.is_dir() else [path]
    if not found or not all(file.is_file() and file.suffix == ".npz" for file in found):
        raise InputError(f"{path} is no .npz file, and no folder of them")
    return found
