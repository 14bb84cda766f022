"""SmoothQuant: outliers of inputs go into the weights, channel by channel.

``x @ W.T = (x / s) @ (W * s).T`` with ``s = max|x| ** alpha / max|W| ** (1 - alpha)`` of each channel of the inputs.
Source: Xiao et al., 2022, arXiv:2211.10438.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from trtnet.checkpoint.base import Array
from trtnet.definition import DefinedNetwork
from trtnet.graph.layers.read import Node, read
from trtnet.graph.quantized import ScaledNorm, Watched
from trtnet.tools.quantize.observing import Seen, watched

_LEAST = 1e-5


@dataclass(frozen=True)
class Group:
    """Weights that are multiplied with one tensor. norm: the one that makes the tensor, where no other layer reads it.

    keys: all of them; smoothed ones are some of them where `norm` is None.
    """

    keys: tuple[str, ...]
    norm: ScaledNorm | None


@dataclass(frozen=True)
class Smoothing:
    """What smoothing changes. divisors: of the channels of a weight's inputs, by key.

    arrays: the tensors that change, where a norm takes the divisors: its own, and the weights behind it. factors: what
    other inputs are multiplied with, by the key of the weight.
    """

    divisors: Mapping[str, Array]
    arrays: Mapping[str, Array]
    factors: Mapping[str, Array]

    def weight(self, key: str, array: Array) -> Array:
        """A weight as its divided inputs are multiplied with it."""
        return array * self.divisors[key].astype(np.float32) if key in self.divisors else array


NONE = Smoothing({}, {}, {})


def groups(network: DefinedNetwork, chosen: Collection[str]) -> list[Group]:
    """The matrices that can be smoothed. To be called before more layers read the inputs."""
    noted = watched(network)
    by_input: dict[Any, list[str]] = defaultdict(list)
    for key, uses in noted.uses.items():
        for use in uses:
            by_input[use.x.trt].append(key)
    readers: dict[Any, list[tuple[Node, int]]] = defaultdict(list)
    made: dict[Any, Node] = {}
    for node in read(network.trt):
        made |= dict.fromkeys(node.outputs, node)
        for index, tensor in enumerate(node.inputs):
            if tensor is not None:
                readers[tensor].append((node, index))
    found = []
    for tensor, keys in by_input.items():
        if not all(_is_plain(network, noted, key) for key in keys):
            continue
        norm = _norm(noted, tensor)
        only = all(_is_product(node, index, made) for node, index in readers[tensor])
        wanted = [key for key in keys if key in chosen]
        if norm is not None and only and len(readers[tensor]) == len(keys) and wanted:
            found.append(Group(tuple(keys), norm))
        elif wanted:
            found.append(Group(tuple(wanted), None))
    return found


def _is_plain(network: DefinedNetwork, noted: Watched, key: str) -> bool:
    """Whether a weight is a matrix that is used once, as that."""
    return key not in noted.tables and len(noted.uses[key]) == 1 and len(network.checkpoint.info(key).shape) == 2


def _norm(noted: Watched, tensor: Any) -> ScaledNorm | None:
    found = [norm for norm in noted.scaled if norm.y.trt is tensor]
    names = [norm.weight for norm in noted.scaled]
    return found[0] if len(found) == 1 and names.count(found[0].weight) == 1 else None


def _is_product(node: Node, index: int, made: Mapping[Any, Node]) -> bool:
    """Whether a layer multiplies a tensor, its input of this index, with a constant."""
    if node.kind != "MATRIX_MULTIPLY":
        return False
    maker = made.get(node.inputs[1 - index])
    return maker is not None and maker.kind == "CONSTANT"


def smoothed(network: DefinedNetwork, found: Collection[Group], seen: Mapping[str, Seen], alpha: float) -> Smoothing:
    """What smoothing these groups changes. alpha: the part of the outliers that the weights take, from 0 to 1."""
    divisors: dict[str, Array] = {}
    arrays: dict[str, Array] = {}
    factors: dict[str, Array] = {}
    for group in found:
        inputs = seen[group.keys[0]].channels.largest.astype(np.float64)
        weights = {key: network.checkpoint[key].astype(np.float32) for key in group.keys}
        columns = np.max([np.abs(weight).max(0) for weight in weights.values()], 0).astype(np.float64)
        divisor = np.maximum(inputs, _LEAST) ** alpha / np.maximum(columns, _LEAST) ** (1 - alpha)
        divisor = np.where((inputs > 0) & (columns > 0), divisor, 1.0)
        divisors |= dict.fromkeys(group.keys, divisor)
        if group.norm is None:
            factors |= dict.fromkeys(group.keys, (1 / divisor).astype(np.float32))
            continue
        arrays |= {key: weight * divisor.astype(np.float32) for key, weight in weights.items()}
        for name in filter(None, (group.norm.weight, group.norm.bias)):
            arrays[name] = (network.checkpoint[name].astype(np.float64) / divisor).astype(np.float32)
    return Smoothing(divisors, arrays, factors)
