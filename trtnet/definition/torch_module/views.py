"""Views of weights: layers of the network on the whole weight, so that it keeps its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from trtnet.definition.torch_module.weights import ModuleWeights
from trtnet.graph.structures import leaves

_REARRANGING = """
expand expand_as view view_as reshape reshape_as permute transpose swapaxes movedim t unsqueeze squeeze flatten
unflatten contiguous narrow select __getitem__ T.__get__ mT.__get__
"""
REARRANGING = frozenset(_REARRANGING.split())
"""Functions that only say where the elements of their first argument are."""


@dataclass(frozen=True)
class View:
    """A tensor that torch made of `source`, a weight or a view of one, and how. version: of `made`, as it was then."""

    made: torch.Tensor
    version: int
    source: torch.Tensor
    function: Callable[..., Any]
    name: str
    rest: Sequence[Any]
    named: Mapping[str, Any]


class Views:
    """Which tensors are views of the floating weights of a module that is being called."""

    def __init__(self, weights: ModuleWeights) -> None:
        self._weights = weights
        self._known: dict[int, View] = {}

    def note(
        self, made: Any, function: Callable[..., Any], name: str, args: Sequence[Any], named: Mapping[str, Any]
    ) -> None:
        """Notes what torch made of real tensors, if it is a view of a weight. Indices that are tensors make none."""
        if name not in REARRANGING or not args or made is args[0] or not isinstance(made, torch.Tensor):
            return
        if made.is_inference():  # torch does not tell whether it is written to
            return
        source, *rest = args
        if not source.is_floating_point() or (self._weights.parameter(source) is None and self.of(source) is None):
            return
        if not any(isinstance(leaf, torch.Tensor) for leaf in leaves((rest, dict(named)))):
            self._known[id(made)] = View(made, made._version, source, function, name, rest, named)

    def of(self, tensor: torch.Tensor) -> View | None:
        """How a tensor was made; None if it is not a view of a weight, or was written to."""
        view = self._known.get(id(tensor))
        return view if view is not None and view.version == tensor._version else None
