"""Which modules are quantized, so that the outputs stay within a tolerance: the most that do."""

from __future__ import annotations

import glob
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from trtnet.definition import DefinedNetwork
from trtnet.definition.quantization import WeightScheme
from trtnet.support.errors import ModelError

Defined = Callable[[Mapping[str, Any]], DefinedNetwork]
"""Defines the model with schemes by patterns of module paths."""


@dataclass(frozen=True)
class Placement:
    """What was chosen. modules: those that are quantized. alone: the error of the outputs with each quantized alone.

    error: with all of the chosen ones.
    """

    modules: tuple[str, ...]
    alone: Mapping[str, float]
    error: float


class Search:
    """Errors of the outputs for sets of quantized modules, on one call.

    schemes: of each module. tell: is told of each network that was run.
    """

    def __init__(
        self, define: Defined, schemes: Mapping[str, WeightScheme], call: Mapping[str, Any], tell: Callable[[], None]
    ) -> None:
        self._define, self._schemes, self._call, self._tell = define, schemes, call, tell
        self._floats = self._outputs({})

    def error(self, modules: tuple[str, ...]) -> float:
        """The largest relative L2 distance of an output from that of the floats."""
        found = self._outputs({glob.escape(module): self._schemes[module] for module in modules})
        pairs = zip(found, self._floats, strict=True)
        return max(float(np.linalg.norm(a - b) / max(float(np.linalg.norm(b)), 1e-30)) for a, b in pairs)

    def search(self, tolerance: float) -> Placement:
        """The most modules, from the least sensitive on, whose error is within the tolerance.

        Raises ModelError where not even one module's is.
        """
        alone = {module: self.error((module,)) for module in self._schemes}
        order = sorted(alone, key=lambda module: alone[module])
        low, high, best = 0, len(order), 0.0  # that many fit; more than that many do not
        while low < high:
            tried = (low + high + 1) // 2 if low else high
            error = self.error(tuple(order[:tried]))
            low, high, best = (tried, high, error) if error <= tolerance else (low, tried - 1, best)
        if low == 0:
            raise ModelError(
                f"the outputs are off by {alone[order[0]]:.2g} with {order[0]} alone quantized, more than the tolerance"
                f" of {tolerance:g}"
            )
        kept = set(order[:low])
        return Placement(tuple(module for module in self._schemes if module in kept), alone, best)

    def _outputs(self, schemes: Mapping[str, WeightScheme]) -> list[np.ndarray[Any, Any]]:
        result = self._define(schemes).reference()(**self._call)
        self._tell()
        outputs = result if isinstance(result, tuple) else (result,)
        return [np.asarray(each, np.float32) for each in outputs]
