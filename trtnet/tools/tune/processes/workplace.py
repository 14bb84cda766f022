"""The folder that the processes of a search share, and what is in it."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from trtnet.definition import DefinedNetwork, DTypes
from trtnet.support import dtypes
from trtnet.support.call_interface import TensorInfo
from trtnet.tools.tune.choices.parts import Part
from trtnet.tools.tune.choices.variants import ByPath, NeutralBut
from trtnet.tools.tune.processes import subject
from trtnet.tools.tune.processes.subject import Subject

Arrays = dict[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Workplace:
    """A folder. It does tasks, as the handler of a worker.

    there: what modules have to choose in the network with neutral forms, by path; None before that is known.
    """

    folder: Path
    there: Mapping[str, Container[str]] | None = None

    def __call__(self, task: Task) -> Any:
        return task.run(self)

    @cached_property
    def _subject(self) -> Subject:
        return subject.read(self.folder / "subject")

    @cached_property
    def neutral(self) -> DefinedNetwork:
        """With neutral forms: what parts are cut out of. Defined once in a process."""
        return self.define({})

    def define(self, forms: ByPath, dtype: DTypes | None = None) -> DefinedNetwork:
        """The model's network: neutral but for these forms."""
        return self._subject.define(NeutralBut(forms, self.there), dtype)

    def plan(self, number: int) -> Path:
        """Of an engine."""
        return self.folder / f"{number}.engine"

    def save_inputs(self, part: Part, arrays: Arrays) -> None:
        """What a part, or the whole network (), is given."""
        self._save(part, "inputs", arrays)

    def save_outputs(self, part: Part, arrays: Arrays) -> None:
        """What it gives in float32."""
        self._save(part, "outputs", arrays)

    def inputs(self, part: Part, infos: Sequence[TensorInfo]) -> Arrays:
        """What was saved for these inputs, in their dtypes."""
        saved = self._load(part, "inputs")
        return {info.name: saved[info.name].astype(dtypes.get(info.dtype).numpy) for info in infos}

    def outputs(self, part: Part) -> Arrays:
        """What is expected."""
        return self._load(part, "outputs")

    def _save(self, part: Part, what: str, arrays: Arrays) -> None:
        file = self._file(part, what)
        file.parent.mkdir(exist_ok=True)
        np.savez(file, allow_pickle=False, **{name: widened(array) for name, array in arrays.items()})

    def _load(self, part: Part, what: str) -> Arrays:
        with np.load(self._file(part, what), allow_pickle=False) as file:
            return dict(file)

    def _file(self, part: Part, what: str) -> Path:
        return self.folder / "arrays" / f"{'+'.join(part) or 'whole'}.{what}.npz"


@dataclass(frozen=True)
class OnGpu:
    """The handler of a worker that times on one GPU."""

    place: Workplace
    device: int

    def __call__(self, task: GpuTask) -> Any:
        return task.run(self.place, self.device)


class Task(Protocol):
    """What a worker is asked to do. It can be sent there."""

    def run(self, place: Workplace) -> Any: ...


class GpuTask(Protocol):
    """What the worker of a GPU is asked to do."""

    def run(self, place: Workplace, device: int) -> Any: ...


def widened(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Floats as float32 or wider, which numpy's files know; the rest as it is."""
    narrow = dtypes.get(array.dtype).is_floating and array.dtype.itemsize < 4
    return array.astype(np.float32) if narrow else array


def sizes_of(infos: Sequence[TensorInfo], arrays: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, int]:
    """The dynamic dimensions of inputs, as the arrays have them."""
    return {
        size: arrays[info.name].shape[axis]
        for info in infos
        for axis, size in enumerate(info.shape)
        if isinstance(size, str)
    }
