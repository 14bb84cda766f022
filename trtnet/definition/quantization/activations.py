"""What the operands of sums, concatenations and norms are quantized to, by the names of these operations."""

from __future__ import annotations

from collections.abc import Mapping

from trtnet.definition.quantization.patterns import Patterns
from trtnet.definition.quantization.schemes import ActivationScheme, CheckpointScheme
from trtnet.graph.quantized import QuantizedActivation, QuantizedParameters

_WHAT = "sum, concatenation or layer norm after a convolution"


class ActivationsByName:
    """Those of a checkpoint, of which patterns decide which are kept, or those that are given as they are."""

    def __init__(self, found: Mapping[str, QuantizedActivation], patterns: Patterns, *, from_checkpoint: bool) -> None:
        self._found, self._patterns, self._from_checkpoint = dict(found), patterns, from_checkpoint

    def of(self, name: str) -> QuantizedActivation | None:
        """What the operands of an operation are quantized to. Raises ModelError for a scheme without a scale."""
        if not self._from_checkpoint and name in self._found:
            return self._found[name]
        scheme = self._patterns.first((name,), ActivationScheme)
        if isinstance(scheme, CheckpointScheme):
            return self._found.get(name)
        return scheme.quantized(name) if isinstance(scheme, ActivationScheme) else None

    def problems(self, parameters: QuantizedParameters) -> list[str]:
        """What is found and is of no operation of the network.

        Raises ModelError for a pattern of activations that fits none.
        """
        self._patterns.check(ActivationScheme, list(parameters.operations), _WHAT)
        return [
            f"{name} has a scale of its operands, and the network has no {_WHAT} of this name"
            for name in self._found
            if name not in parameters.operations and (not self._from_checkpoint or self._is_kept(name))
        ]

    def _is_kept(self, name: str) -> bool:
        return isinstance(self._patterns.first((name,), ActivationScheme), CheckpointScheme)
