"""The values that the modules of all ranks get and give together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trtnet.definition import DefinedNetwork
from trtnet.graph import Tensor
from trtnet.graph.memory.division import Division
from trtnet.support.errors import ModelError
from trtnet.verify.bisection.taps import Recording, Taps, tapped
from trtnet.verify.metrics.array_metrics import Array


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
    division: Division = network.division
    found: dict[str, int] = {}
    for call in network.calls:
        parts = [division.of(member) for _, member in call.module.members()]
        blocks = max((part.blocks for part in parts if part is not None), default=1)
        found |= {tensor.name: blocks for tensor in call.outputs if blocks > 1}
    return found
