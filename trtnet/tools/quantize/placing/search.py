"""Which modules are quantized, so that the outputs stay within a tolerance: the most that do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from trtnet.support.errors import ModelError


@dataclass(frozen=True)
class Found:
    """What was chosen. modules: those that are quantized. alone: the error of the outputs with each quantized alone.

    error: with all of the chosen ones.
    """

    modules: tuple[str, ...]
    alone: Mapping[str, float]
    error: float


class Search:
    """Errors of the outputs for sets of quantized modules.

    modules: all of them. error: of the outputs with a set of them quantized.
    """

    def __init__(self, modules: Sequence[str], error: Callable[[tuple[str, ...]], float]) -> None:
        self._modules, self.error = tuple(modules), error

    def search(self, tolerance: float) -> Found:
        """The most modules, from the least sensitive on, whose error is within the tolerance.

        Raises ModelError where not even one module's is.
        """
        alone = {module: self.error((module,)) for module in self._modules}
        order = sorted(alone, key=lambda module: alone[module])
        low, high, best = 0, len(order), 0.0  # that many fit; more than that many do not
        while low < high:
            tried = (low + high + 1) // 2 if low else high
            error = self.error(tuple(order[:tried]))
            low, high, best = (tried, high, error) if error <= tolerance else (low, tried - 1, best)
        if low == 0:
            raise ModelError(
                f"the outputs are off by {alone[order[0]]:.2g} with {order[0]} alone quantized, which is the least"
                f" sensitive module, more than the tolerance of {tolerance:g}: none can be quantized. Give a larger"
                f" tolerance, another scheme or method, or --smooth auto"
            )
        kept = set(order[:low])
        return Found(tuple(module for module in self._modules if module in kept), alone, best)
