"""What the processes that build do: engines of variants, and the results in float32 that they are held to."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trtnet.builder import BuildConfig, Dims, describe
from trtnet.definition import DefinedNetwork
from trtnet.runtime import load
from trtnet.support.call_interface import by_name
from trtnet.support.errors import InputError, TrtnetError
from trtnet.tools.tune.choices.parts import Part, cut
from trtnet.tools.tune.choices.variants import ByPath, NeutralBut, check, within
from trtnet.tools.tune.processes.workplace import Arrays, Workplace, sizes_of, widened


@dataclass(frozen=True)
class Build:
    """Builds the whole network, or a part of it, with forms, and saves it under a number.

    dims: of the whole network; a part is built for what it is given. device: the GPU on which kernels are compiled
    now, before any is timed; None for no GPU.
    """

    number: int
    forms: ByPath
    part: Part
    dims: Dims
    config: BuildConfig
    device: int | None

    def run(self, place: Workplace) -> float:
        """Seconds that it took. Raises as defining, building and running do."""
        began = time.perf_counter()
        limit_threads()
        network = self._cut(place) if self.part else place.define(self.forms)
        check(network, within(self.forms, self.part) if self.part else self.forms)
        infos = describe(network).inputs
        inputs = place.inputs(self.part, infos)
        dims = sizes_of(infos, inputs) if self.part else self.dims
        network.build(dims, self.config).save(place.plan(self.number))
        if self.device is not None:
            with load(place.plan(self.number), device=self.device) as engine:
                engine(**inputs)
        return time.perf_counter() - began

    def _cut(self, place: Workplace) -> DefinedNetwork:
        """The part alone: a part takes as long as its own modules, however large the model is."""
        return cut(place.neutral, self.part, forms=NeutralBut(within(self.forms, self.part))).network


@dataclass(frozen=True)
class Reference:
    """Computes what the whole network gives in float32, on the CPU, and saves it with what parts are given."""

    parts: tuple[Part, ...]

    def run(self, place: Workplace) -> dict[Part, str]:
        """Why parts cannot be measured, by part. Raises InputError for results that are not finite."""
        wide = place.define({}, "float32")
        given = place.inputs((), describe(wide).inputs)
        wanted = {part: wanted_by(wide, part) for part in self.parts}
        values, outputs = observed(wide, given, {name for names in wanted.values() for name in names.values()})
        check_finite(outputs, "the model")
        place.save_outputs((), outputs)
        return {part: why for part, names in wanted.items() if (why := _given(place, part, names, values))}


@dataclass(frozen=True)
class PartReference:
    """Computes what a part gives in float32, on the CPU, and saves it. Its inputs are rounded as the part gets them."""

    part: Part

    def run(self, place: Workplace) -> str:
        """Why it cannot be measured, else ""."""
        limit_threads()
        try:
            inputs = place.inputs(self.part, describe(cut(place.neutral, self.part).network).inputs)
            network = cut(place.neutral, self.part, "float32").network
            found = network.reference()(**{name: widened(array) for name, array in inputs.items()})
            outputs = by_name(found, describe(network).outputs)
            check_finite(outputs, self.part[0])
        except TrtnetError as error:
            return str(error)
        place.save_outputs(self.part, outputs)
        return ""


@dataclass(frozen=True)
class Ready:
    """Defines the network that parts are cut out of, while other processes do what comes first."""

    def run(self, place: Workplace) -> None:
        """Raises as defining does."""
        limit_threads()
        _ = place.neutral


def wanted_by(network: DefinedNetwork, part: Part) -> dict[str, str]:
    """The tensors that a part gets, by the names of its inputs."""
    return {name: tensor for tensor, name in cut(network, part, "float32").names.items()}


def _given(place: Workplace, part: Part, wanted: Mapping[str, str], values: Arrays) -> str:
    """Saves what a part is given; why it cannot, else ""."""
    missing = [tensor for tensor in wanted.values() if tensor not in values]
    if missing:
        return f"what it is given, {missing[0]}, is computed nowhere by itself"
    place.save_inputs(part, {name: values[tensor] for name, tensor in wanted.items()})
    return ""


def observed(network: DefinedNetwork, inputs: Arrays, wanted: set[str]) -> tuple[Arrays, Arrays]:
    """(values of tensors by name, outputs by name) of the network on the CPU."""
    from trtnet.reference.step import to_numpy, to_torch

    values: Arrays = {name: inputs[name] for name in wanted if name in inputs}

    def observe(layer: Any, results: Sequence[Any]) -> None:
        for index, result in enumerate(results):
            name = layer.get_output(index).name
            if name in wanted:
                values[name] = to_numpy(result)

    found = network.reference().run({name: to_torch(array) for name, array in inputs.items()}, observe)
    return values, {name: to_numpy(value) for name, value in found.items()}


def check_finite(outputs: Arrays, what: str) -> None:
    """Raises InputError for NaN and infinities, beside which nothing is accurate."""
    import numpy as np

    for name, array in outputs.items():
        if not np.isfinite(array.astype(np.float64)).all():
            raise InputError(
                f"output {name} of {what} is not finite in float32, so that no form's error can be told: give weights"
                f" and inputs that are, as by --weights FILE and --input {name}=FILE.npy"
            )


def limit_threads() -> None:
    """As many processes as cores build side by side: one thread each."""
    import os
    import sys

    os.environ["OMP_NUM_THREADS"] = "1"
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
