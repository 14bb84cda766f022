"""All ranks of a tensor-parallel network on the CPU: one thread each, which meet at every collective."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch

from trtnet.reference.executor import Reference
from trtnet.reference.step import describe, widen
from trtnet.support.backend import trt
from trtnet.support.errors import ExecutionError, InputError

RankObserver = Callable[[int, trt.ILayer, list[torch.Tensor]], None]
END = "the end"


class Lockstep(Reference):
    """The references of all ranks, executed together and called like one engine of the whole model.

    Inputs and outputs are whole, in the dtypes of the networks: what is divided (caches of keys and values) is cut for
    the ranks and joined again. Other outputs are those of rank 0.

    references: of the networks of ranks 0, 1, ..., in order.
    Raises InputError for references that are not those of all ranks, ExecutionError where ranks do not meet.

    >>> import numpy as np, trtnet
    >>> from trtnet import nn
    >>> plan = trtnet.TensorParallel({"0": "column", "1": "row"}, ranks=2)
    >>> model, x = nn.Sequential(nn.Linear(2, 4), nn.Linear(4, 1)), {"x": trtnet.Input((1, 2))}
    >>> weights = {f"{key}": np.ones(p.shape, np.float32) for key, p in model.named_parameters()}
    >>> networks = [trtnet.define(model, x, weights, parallel=plan.of_rank(rank)) for rank in range(2)]
    >>> trtnet.Lockstep([network.reference() for network in networks])(np.ones((1, 2), np.float32)).tolist()
    [[13.0]]
    """

    def __init__(self, references: Sequence[Reference]) -> None:
        found = [(each.rank.rank, each.rank.ranks) for each in references]
        if found != [(rank, len(references)) for rank in range(len(references))] or not references:
            ranks = ", ".join(f"rank {rank} of {ranks}" for rank, ranks in found) or "none"
            raise InputError(f"Lockstep takes the references of all ranks in order: 0, 1, ...; found {ranks}")
        first = references[0]
        self.references = tuple(references)
        self.rank, self.owner, self.limits, self.network, self.exact = (
            first.rank, first.owner, first.limits, first.network, first.exact
        )  # fmt: skip
        self.inputs = tuple(map(first.rank.whole, first.inputs))
        self.outputs = tuple(map(first.rank.whole, first.outputs))

    def run(self, feeds: Mapping[str, torch.Tensor], observe: Any = None, exchange: Any = None) -> dict[str, Any]:
        """Whole outputs by name from whole inputs by name, unchecked; `observe` sees the layers of rank 0."""
        seen = None if observe is None else (lambda rank, layer, results: rank or observe(layer, results))
        results = self.run_ranks(feeds, seen)
        divided = self.rank.divided
        return {
            name: torch.cat([each[name] for each in results], divided[name]) if name in divided else value
            for name, value in results[0].items()
        }

    def run_ranks(
        self, feeds: Mapping[str, torch.Tensor], observe: RankObserver | None = None
    ) -> list[dict[str, torch.Tensor]]:
        """The outputs of each rank by name. observe: sees the layers of all ranks, from several threads."""
        meeting = _Meeting(len(self.references))
        with ThreadPoolExecutor(len(self.references), "trtnet-rank") as pool:
            running = [
                pool.submit(self._run_rank, rank, each, self._fed(rank, feeds), observe, meeting)
                for rank, each in enumerate(self.references)
            ]
        return _results(running)

    def _fed(self, rank: int, feeds: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        divided = self.rank.divided
        return {
            name: value.chunk(len(self.references), divided[name])[rank] if name in divided else value
            for name, value in feeds.items()
        }

    @staticmethod
    def _run_rank(
        rank: int, reference: Reference, feeds: Mapping[str, Any], observe: RankObserver | None, meeting: _Meeting
    ) -> dict[str, torch.Tensor]:
        def seen(layer: trt.ILayer, results: list[torch.Tensor]) -> None:
            if observe is not None:
                observe(rank, layer, results)

        try:
            outputs = reference.run(feeds, seen, lambda layer, x: meeting.all_reduce(rank, layer, x))
            meeting.leave(rank)
            return outputs
        except BaseException:
            meeting.abort()
            raise


class _Meeting:
    """Where ranks wait for each other."""

    def __init__(self, ranks: int) -> None:
        self._barrier = threading.Barrier(ranks)
        self._given: list[tuple[str, torch.Tensor | None]] = [("", None)] * ranks

    def all_reduce(self, rank: int, layer: trt.ILayer, x: torch.Tensor) -> torch.Tensor:
        """The sum over the ranks, in their order. Raises ExecutionError if they are not at the same layer."""
        # TensorRT does not tell which collective a layer is
        if not layer.name.rpartition("/")[2].startswith("all_reduce"):
            raise ExecutionError(
                f"{describe(layer)}: the reference knows collectives that trtnet added, by their names"
            )
        self._given[rank] = layer.name, widen(x)
        self._wait()
        values = [value for name, value in self._given if value is not None and name == layer.name]
        if len(values) != len(self._given):
            at = ", ".join(f"rank {i} at {name}" for i, (name, _) in enumerate(self._given))
            raise ExecutionError(f"the ranks do not meet at one collective: {at}")
        total = values[0].clone()
        for value in values[1:]:
            total += value
        self._wait()
        return total

    def leave(self, rank: int) -> None:
        """A rank has no more collectives."""
        self._given[rank] = END, None
        self._wait()

    def abort(self) -> None:
        """Nobody waits any more."""
        self._barrier.abort()

    def _wait(self) -> None:
        self._barrier.wait()


def _results(running: Sequence[Future[dict[str, torch.Tensor]]]) -> list[dict[str, torch.Tensor]]:
    """Raises the error that made the others stop."""
    errors = [error for error in (each.exception() for each in running) if error is not None]
    if errors:
        raise next((each for each in errors if not isinstance(each, threading.BrokenBarrierError)), errors[0])
    return [each.result() for each in running]
