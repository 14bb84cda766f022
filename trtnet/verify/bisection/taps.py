"""The values that a network's modules get and give, on the CPU or on a GPU."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from trtnet.builder import BuildConfig, build_plan, describe
from trtnet.definition import DefinedNetwork
from trtnet.graph import Dim, Tensor
from trtnet.runtime.engine import Engine
from trtnet.runtime.loaded.load_plan import Opener, open_engine
from trtnet.support import provenance
from trtnet.support.call_interface import TensorInfo, by_name
from trtnet.support.errors import BuildError, ModelError
from trtnet.verify.metrics.array_metrics import Array

log = logging.getLogger("trtnet.verify")


@dataclass(frozen=True)
class Overflow:
    """The first layer whose result is not finite although what it got is. count: of how many values."""

    layer: str
    module: str
    source: str
    count: int
    size: int

    def __str__(self) -> str:
        where = f" ({self.source})" if self.source else ""
        return f"{self.layer}{where}: {self.count:,} of {self.size:,} values are NaN or infinite"


@dataclass
class Recording:
    """values: arrays by the tensors' names. overflow: known where every layer's result was seen."""

    values: dict[str, Array] = field(default_factory=dict)
    overflow: Overflow | None = None


Taps = Callable[[Mapping[str, Array]], Recording]
"""Runs a network on inputs by name, and tells what passed between its modules."""


def tapped(network: DefinedNetwork) -> dict[str, Tensor]:
    """The tensors that modules get or give, and the network's outputs, by name."""
    found = [tensor for call in network.calls for tensor in (*call.inputs, *call.outputs)]
    return {tensor.name: tensor for tensor in (*found, *network.outputs.values())}


@contextmanager
def marked(network: DefinedNetwork, tensors: Sequence[Tensor]) -> Iterator[None]:
    """Tensors are outputs within."""
    for tensor in tensors:
        network.trt.mark_output(tensor.trt)
    try:
        yield
    finally:
        for tensor in tensors:
            network.trt.unmark_output(tensor.trt)


def aside(network: DefinedNetwork) -> list[Tensor]:
    """Results of modules that the network computes as parts of larger ones only: outputs have to ask for them."""
    found = {tensor.trt: tensor for tensor in network.aside}
    return [tensor for itensor, tensor in found.items() if not itensor.is_network_output]


class ReferenceTaps:
    """Taps of a network on the CPU: the reference executor sees every layer."""

    def __init__(self, network: DefinedNetwork) -> None:
        self.network = network

    def __call__(self, feeds: Mapping[str, Array]) -> Recording:
        """Raises ExecutionError for a layer that the reference executor does not know."""
        from trtnet.reference.step import to_numpy, to_torch

        wanted = tapped(self.network)
        recording = Recording({name: feeds[name] for name in wanted if name in feeds})
        spoiled: set[str] = set()

        def observe(layer: Any, results: list[Any]) -> None:
            for index, result in enumerate(results):
                name = layer.get_output(index).name
                if name in wanted:
                    recording.values[name] = to_numpy(result)
                if result.is_floating_point() and not result.isfinite().all():
                    spoiled.add(name)
                    if recording.overflow is None and _starts(layer, spoiled):
                        recording.overflow = _overflow(layer, result)

        with marked(self.network, aside(self.network)):
            self.network.reference().run({name: to_torch(array) for name, array in feeds.items()}, observe)
        return recording


def _starts(layer: Any, spoiled: set[str]) -> bool:
    """Whether a layer got finite values only. A constant gets none: the infinity of a mask is meant."""
    inputs = [x.name for x in map(layer.get_input, range(layer.num_inputs)) if x is not None]
    return bool(inputs) and spoiled.isdisjoint(inputs)


def _overflow(layer: Any, result: Any) -> Overflow:
    (origin, *_) = (*provenance.read(layer.metadata), provenance.Provenance("", ""))
    count = int(result.numel() - result.isfinite().sum())
    return Overflow(layer.name, origin.module, origin.source, count, result.numel())


class EngineTaps:
    """Taps of a network on the GPU: an engine of the same layers and dtypes, whose modules' tensors are outputs too.

    That keeps TensorRT from fusing layers of two modules; within a module it fuses as it does otherwise. Tensors inside
    of loops and conditionals, and those that the outputs do not need, are left out.
    """

    def __init__(self, network: DefinedNetwork, opener: Opener = open_engine) -> None:
        self.network, self.opener = network, opener

    def __call__(self, feeds: Mapping[str, Array]) -> Recording:
        """Builds an engine for the shapes of the inputs and runs it. Raises as building and calling do."""
        dims = {
            size.name: array.shape[axis]
            for name, array in feeds.items()
            for axis, size in enumerate(self.network.inputs[name].shape)
            if isinstance(size, Dim)
        }
        return Recording({**feeds, **self._run(self.tensors(), dims, feeds)})

    def _run(self, tensors: Sequence[Tensor], dims: Mapping[str, int], feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs and tensors by name; by engines of a part of the tensors each where TensorRT builds none of all."""
        try:
            with self.build(dims, tensors) as engine:
                outputs = engine(**feeds)
        except BuildError as error:
            if not tensors:
                raise
            half = len(tensors) // 2
            if half == 0:
                log.warning("TensorRT builds no engine in which %s is an output: %s", tensors[0].name, error)
            parts = (tensors[:half], tensors[half:]) if half else ((),)
            return {name: value for part in parts for name, value in self._run(part, dims, feeds).items()}
        return by_name(outputs, engine.outputs)

    def build(self, dims: Mapping[str, int], tensors: Sequence[Tensor], config: BuildConfig | None = None) -> Engine:
        """The engine with tensors as further outputs, named as they are. Raises BuildError and ProfileError."""
        info = describe(self.network)
        info = replace(info, outputs=info.outputs + tuple(map(_info, tensors)))
        with marked(self.network, tensors):
            return Engine(build_plan(self.network, dims, config or BuildConfig(), info), self.opener)

    def tensors(self) -> list[Tensor]:
        """Those that may be outputs, in the order of the calls."""
        reached = self._reached()
        return [x for name, x in tapped(self.network).items() if name in reached and not x.trt.is_network_output]

    def _reached(self) -> set[str]:
        """Names of what layers outside of loops and conditionals compute for the outputs."""
        from trtnet.reference.schedule import outermost

        wanted = (*self.network.outputs.values(), *self.network.aside)
        return outermost(self.network.trt, [tensor.trt for tensor in wanted])


def _info(tensor: Tensor) -> TensorInfo:
    shape = tuple(size.name if isinstance(size, Dim) else size for size in tensor.shape)
    return TensorInfo(tensor.name, shape, tensor.dtype.name)


class LockstepTaps:
    """Taps of a tensor-parallel network, whose ranks run together: ``bisect(networks[0], on=LockstepTaps(networks))``.

    What is divided is joined: heads along axis 1 of four axes, features along the last axis; a packed product by its
    blocks. Modules are not run alone, so that one that differs is named for its outputs beside its inputs.

    networks: of ranks 0, 1, ..., in order. Raises InputError for others.
    """

    def __init__(self, networks: Sequence[DefinedNetwork]) -> None:
        from trtnet.reference import Lockstep

        self._first = networks[0]
        self._lockstep = Lockstep([network.reference() for network in networks])
        self._blocks = _blocks(self._first)

    def __call__(self, network: DefinedNetwork) -> Taps:
        """Raises ModelError for another network than that of rank 0, such as one of a module alone."""
        if network is not self._first:
            raise ModelError("a module of several ranks is not run alone")
        return self._run

    def _run(self, feeds: Mapping[str, Array]) -> Recording:
        """Runs all ranks on whole inputs."""
        from trtnet.reference.step import to_numpy, to_torch

        wanted = tapped(self._first)
        seen: dict[str, dict[int, Array]] = {}

        def observe(rank: int, layer: Any, results: list[Any]) -> None:
            for index, result in enumerate(results):
                name = layer.get_output(index).name
                if name in wanted:
                    seen.setdefault(name, {})[rank] = to_numpy(result)

        self._lockstep.run_ranks({name: to_torch(array) for name, array in feeds.items()}, observe)
        given = {name: feeds[name] for name in wanted if name in feeds}
        return Recording(given | {name: self._whole(wanted[name], parts) for name, parts in seen.items()})

    def _whole(self, tensor: Tensor, parts: Mapping[int, Array]) -> Array:
        if not self._first.division.has(tensor):
            return parts[0]
        axis, blocks = (1 if tensor.ndim == 4 else tensor.ndim - 1), self._blocks.get(tensor.name, 1)
        cut = [np.split(parts[rank], blocks, axis) for rank in sorted(parts)]
        return np.concatenate([block for each in zip(*cut, strict=True) for block in each], axis)


def _blocks(network: DefinedNetwork) -> dict[str, int]:
    """The blocks of products that modules give, by their names."""
    division = network.division
    found: dict[str, int] = {}
    for call in network.calls:
        parts = [division.of(member) for _, member in call.module.members()]
        blocks = max((part.blocks for part in parts if part is not None), default=1)
        found |= {tensor.name: blocks for tensor in call.outputs if blocks > 1}
    return found
