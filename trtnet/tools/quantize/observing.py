"""The inputs of a model's products, observed while the reference executes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from trtnet.definition import DefinedNetwork
from trtnet.graph import Tensor
from trtnet.tools.quantize.ranges import Histogram

_NAME = "input of {key}, {index}"


def watched(network: DefinedNetwork) -> dict[str, list[str]]:
    """Makes what each weight is multiplied with an output of the network; the names of these outputs, by key."""
    names: dict[str, list[str]] = {}
    outputs: dict[str, str] = {}
    for key, tensors in (network.quantized.watched or {}).items():
        names[key] = [_output(network, tensor, key, index, outputs) for index, tensor in enumerate(tensors)]
    return names


def _output(network: DefinedNetwork, tensor: Tensor, key: str, index: int, outputs: dict[str, str]) -> str:
    """The output that a tensor is: one that several weights are multiplied with is one output."""
    made = tensor.trt.name
    if made not in outputs:
        name = _NAME.format(key=key, index=index)
        network.mark_output(name, tensor)
        outputs[made] = outputs[name] = name
    return outputs[made]


def observe(
    network: DefinedNetwork, calls: Iterable[Mapping[str, Any]], tell: Callable[[], None]
) -> dict[str, Histogram]:
    """What the inputs of each weight's product were, over all calls. tell: is told of each call that is done."""
    names = watched(network)
    reference = network.reference()
    seen: dict[str, Histogram] = {name: Histogram() for outputs in names.values() for name in outputs}
    for call in calls:
        result = reference(**call)
        for name, histogram in seen.items():
            histogram.add(np.asarray(result[name]))
        tell()
    return {key: _joined([seen[name] for name in outputs]) for key, outputs in names.items()}


def _joined(parts: list[Histogram]) -> Histogram:
    """Those of a weight that is used several times, as one."""
    if len(parts) == 1:
        return parts[0]
    largest = max(parts, key=lambda part: part.range)
    joined = Histogram()
    joined.range, joined.largest = largest.range, max(part.largest for part in parts)
    for part in parts:
        places = np.searchsorted(joined.edges, part.centers)
        np.add.at(joined.counts, np.minimum(places, len(joined.counts) - 1), part.counts)
    return joined
