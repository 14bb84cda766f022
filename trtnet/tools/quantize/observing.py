"""The inputs of a model's products, observed while the reference executes it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from trtnet.definition import DefinedNetwork
from trtnet.graph import Tensor
from trtnet.graph.quantized import Use, Watched
from trtnet.reference.schedule import outermost
from trtnet.support.text.counted import counted
from trtnet.tools.quantize.ranges import Array, Histogram

_NAME = "input of {key}, {index}"


@dataclass
class Channels:
    """What was seen of each channel: the largest magnitude, and the mean, over all but the channels' axis.

    lost: how many values were NaN or infinite, which count as 0.
    """

    largest: Array = field(default_factory=lambda: np.zeros(1, np.float32))
    sums: Array = field(default_factory=lambda: np.zeros(1))
    count: int = 0
    lost: int = 0

    def add(self, values: Array, axis: int) -> None:
        """Counts an array."""
        rows = np.moveaxis(values, axis, -1).reshape(-1, values.shape[axis])
        finite = np.isfinite(rows)
        if not finite.all():
            self.lost += int(finite.size - finite.sum())
            rows = np.where(finite, rows, 0)
        self.largest = np.maximum(self.largest, np.abs(rows).max(0, initial=0))
        self.sums = self.sums + rows.sum(0, dtype=np.float64)
        self.count += len(rows)

    @property
    def mean(self) -> Array:
        """Of each channel, float64."""
        return self.sums / max(self.count, 1)


@dataclass(frozen=True)
class Seen:
    """What was seen of the inputs of a weight's products. values: magnitudes. channels: None without data."""

    values: Histogram
    channels: Channels


def watched(network: DefinedNetwork) -> Watched:
    """What is noted of a network that was defined with Watch."""
    found = network.quantized.watched
    assert found is not None
    return found


class Observer:
    """Observes a network that was defined with Watch, while the reference executes it.

    What is computed outside of loops and conditionals becomes an output, so that it is computed; inside of them each
    iteration is seen, and of a conditional the branch that is taken.

    keys: of the weights whose inputs are observed. tell: is told how far it is. others: tensors that are observed too,
    by names of their own.
    """

    def __init__(
        self,
        network: DefinedNetwork,
        keys: Collection[str],
        tell: Callable[[str], None],
        others: Mapping[str, list[Use]] = MappingProxyType({}),
    ) -> None:
        self._uses = {**{key: watched(network).uses[key] for key in keys}, **others}
        self._weights, self._tell = len(keys), tell
        self._readers: dict[str, list[tuple[str, int]]] = defaultdict(list)
        every = [use.x.trt for uses in self._uses.values() for use in uses]
        free, outputs = outermost(network.trt, every), dict[str, str]()
        for key, uses in self._uses.items():
            for index, use in enumerate(uses):
                name = use.x.trt.name
                if name in free or use.x.trt.is_network_input:
                    name = _output(network, use.x, _NAME.format(key=key, index=index), outputs)
                self._readers[name].append((key, index))
        self._reference = network.reference()

    def observe(
        self, calls: Iterable[Mapping[str, Any]], divisors: Mapping[str, Array] | None = None
    ) -> dict[str, Seen]:
        """What the inputs of each weight's products were, over all calls. divisors: of their channels, by key."""
        divisors = divisors or {}
        parts = {key: [Seen(Histogram(), Channels()) for _ in uses] for key, uses in self._uses.items()}

        def see(layer: Any, results: Sequence[Any]) -> None:
            for number, result in enumerate(results):
                for key, index in self._readers.get(layer.get_output(number).name, ()):
                    values = np.asarray(result, np.float32)
                    _add(parts[key][index], values, self._uses[key][index], divisors.get(key))

        for count, call in enumerate(calls, 1):
            self._reference.observed(call, see)
            self._tell(f"the inputs of {counted(self._weights, 'weight')}, {counted(count, 'call')}")
        return {key: _joined(each) for key, each in parts.items()}


def _add(part: Seen, values: Array, use: Use, divisor: Array | None) -> None:
    values = values if divisor is None else values / divisor
    part.values.add(values)
    part.channels.add(values, use.axis)


def _output(network: DefinedNetwork, tensor: Tensor, name: str, outputs: dict[str, str]) -> str:
    """The output that a tensor is, which is made by this name; one that several weights take is one output."""
    made = tensor.trt.name
    if made not in outputs:
        network.mark_output(name, tensor)
        outputs[made] = name
    return outputs[made]


def _joined(parts: Sequence[Seen]) -> Seen:
    """Those of a weight that is used several times, as one."""
    if len(parts) == 1:
        return parts[0]
    channels = Channels(
        np.maximum.reduce([part.channels.largest for part in parts]),
        np.sum([part.channels.sums for part in parts], 0),
        sum(part.channels.count for part in parts),
        sum(part.channels.lost for part in parts),
    )
    histograms = [part.values for part in parts]
    widest = max(histograms, key=lambda part: part.range)
    joined = Histogram()
    joined.range, joined.largest = widest.range, max(part.largest for part in histograms)
    for part in histograms:
        places = np.searchsorted(joined.edges, part.centers)
        np.add.at(joined.counts, np.minimum(places, len(joined.counts) - 1), part.counts)
    return Seen(joined, channels)
