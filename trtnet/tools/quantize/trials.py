"""The outputs of a model with some of its weights quantized, beside those of its floats."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from trtnet.definition import DefinedNetwork, define
from trtnet.definition.inputs import Declared
from trtnet.definition.models import Model
from trtnet.support.call_interface import NamedOutputs
from trtnet.support.errors import ModelError
from trtnet.support.text.counted import counted
from trtnet.tools.quantize.preparing import PreparedModel, Replaced
from trtnet.verify.metrics.layouts import distance

log = logging.getLogger("trtnet.quantization")


class Trials:
    """The model on some calls, with sets of its weights and attentions quantized."""

    def __init__(
        self,
        model: Model,
        inputs: Mapping[str, Declared] | None,
        network: DefinedNetwork,
        calls: Sequence[Mapping[str, Any]],
        tell: Callable[[str], None],
    ) -> None:
        self._model, self._inputs, self._calls, self._tell = model, inputs, calls, tell
        floats = define(model, inputs, Replaced(network.checkpoint, network.keys, {}))
        self._names = _compared(floats)
        self._floats = self._outputs(floats)
        _check_finite(self._names, self._floats)
        self._tried = 0

    def error(self, prepared: PreparedModel, keys: Collection[str]) -> float:
        """The largest relative L2 distance of an output from that of the floats, in all calls.

        States and integers do not count, where a model has other outputs.
        """
        self._tried += 1
        self._tell(f"the network with {counted(len(keys), 'quantized weight')}, trial {self._tried}")
        found = self._outputs(define(self._model, self._inputs, **prepared.definition(keys)))
        return max(distance(a, b) for a, b in zip(found, self._floats, strict=True))

    def _outputs(self, network: DefinedNetwork) -> list[np.ndarray[Any, Any]]:
        run = network.reference()
        results = (run(**call) for call in self._calls)
        named = (one if isinstance(one, NamedOutputs) else {self._names[0]: one} for one in results)
        return [np.asarray(one[name], np.float32) for one in named for name in self._names]


def _compared(network: DefinedNetwork) -> list[str]:
    """The outputs that say how good a model is: floats that are no states; all where there is none."""
    states = {state.output for state in network.states}
    found = [name for name, y in network.outputs.items() if y.dtype.is_floating and name not in states]
    return found or list(network.outputs)


def _check_finite(names: Sequence[str], outputs: Sequence[np.ndarray[Any, Any]]) -> None:
    """Warns of outputs of calls that are NaN in floats. Raises ModelError for one that is nothing else."""
    for index, name in enumerate(names):
        lost = np.concatenate([np.isnan(values).reshape(-1) for values in outputs[index :: len(names)]])
        if lost.any():
            text = f"the output {name} is NaN in floats"
            if lost.all():
                raise ModelError(
                    f"{text}: what quantization changes cannot be seen; trtnet bisect finds where it begins"
                )
            log.warning("%s, in %s of %s: its error is infinite", text, f"{lost.sum():,}", counted(lost.size, "value"))
