"""Operands of sums, concatenations and norms that are quantized, and what they share a scale with."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from trtnet.definition import DefinedNetwork
from trtnet.graph.quantized import CONCATENATION, NORM, ActivationUse, QuantizedActivation, Use
from trtnet.support.dtypes import DType
from trtnet.support.errors import ModelError
from trtnet.tools.quantize.observing import Seen, watched
from trtnet.tools.quantize.placing.rules import Placement
from trtnet.tools.quantize.ranges import scale_of

log = logging.getLogger("trtnet.quantization")

_KEY = "{}: operands"
_IN_WORDS = {
    "sums": "sum of a quantized convolution and another branch",
    "concatenations": "concatenation of what quantized convolutions make",
    "norms": "layer norm of what a quantized convolution makes",
}


@dataclass(frozen=True)
class Operation:
    """One that is to be quantized. range: whose range it has: of concatenations that share tensors that of the first.

    keys: of the convolutions of which one has to be quantized.
    """

    name: str
    kind: str
    keys: tuple[str, ...]
    range: str


@dataclass(frozen=True)
class Operations:
    """All of them. observed: what to observe, by what is seen then. inputs: the ranges of convolutions' inputs, by key.

    inputs: of those that read what a concatenation makes or takes, which have its scale.
    """

    all: tuple[Operation, ...] = ()
    observed: Mapping[str, list[Use]] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)

    def shared(self, seen: Mapping[str, Seen]) -> dict[str, Seen]:
        """What was seen, of inputs that share a range the range."""
        own = {key: Seen(seen[_KEY.format(name)].values, seen[key].channels) for key, name in self.inputs.items()}
        return {**seen, **own}

    def largest(self, operation: Operation, seen: Mapping[str, Seen]) -> float:
        """The largest magnitude of its range."""
        return seen[_KEY.format(operation.range)].values.largest

    def calibrated(self, seen: Mapping[str, Seen], dtype: DType, method: str) -> dict[str, QuantizedActivation]:
        """Each with its scale, by name; warns of those of which nothing but zeros was seen, and leaves them out."""
        silent = [one.name for one in self.all if not self.largest(one, seen)]
        if silent:
            log.warning("in floats, since nothing but zeros was seen of the operands: %s", ", ".join(silent[:5]))
        return {
            one.name: QuantizedActivation(dtype, scale_of(seen[_KEY.format(one.range)].values, dtype, method), one.kind)
            for one in self.all
            if one.name not in silent
        }


def operations(network: DefinedNetwork, weights: Collection[str], placement: Placement) -> Operations:
    """Those that the placement has, beside these quantized weights.

    To be called before more layers read what is to be observed. Raises ModelError for a row that was asked for by name
    and has none.
    """
    kinds, noted = placement.kinds(), watched(network).activations
    fitting = {name: uses for name, uses in noted.items() if uses[0].kind in kinds and _fits(uses, weights)}
    found = {name: uses for name, uses in fitting.items() if not _is_taken(network, name, uses)}
    there = {uses[0].kind for uses in found.values()}
    missing = [row for kind, row in kinds.items() if kind not in there]
    if missing and placement.named:
        raise ModelError(f"placement: {missing[0]}: the network has no {_IN_WORDS[missing[0]]}")
    by_tensor = _groups(found)
    uses_of: dict[str, list[Use]] = defaultdict(list)
    made = []
    for name, uses in found.items():
        tensors = [tensor for use in uses for tensor in _tensors(use)]
        own = by_tensor.get(tensors[0].trt, name)
        if own == name or uses[0].kind == CONCATENATION:
            uses_of[_KEY.format(own)] += [Use(tensor, -1, None) for tensor in tensors]
        made.append(Operation(name, uses[0].kind, tuple(key for use in uses for key in use.keys), own))
    return Operations(tuple(made), uses_of, _inputs(network, weights, by_tensor))


def _fits(uses: list[ActivationUse], weights: Collection[str]) -> bool:
    """Whether one of the convolutions is quantized, and the operands are in the network: no other layer took them."""
    parts = [part for use in uses for part in use.operands]
    return any(key in weights for use in uses for key in use.keys) and all(part.merged_into is None for part in parts)


def _is_taken(network: DefinedNetwork, name: str, uses: list[ActivationUse]) -> bool:
    """Whether a module has the name of a sum or a concatenation, so that their scales would have one key."""
    found = uses[0].kind != NORM and any(key.startswith(f"{name}.") for key in network.keys)
    if found:
        log.warning("%s stays in floats: a module of the model has its name", name)
    return found


def _tensors(use: ActivationUse) -> tuple[Any, ...]:
    """What has the range of an operation: of a concatenation its result, which is all of its operands."""
    return (use.result,) if use.kind == CONCATENATION else use.operands


def _groups(found: Mapping[str, list[ActivationUse]]) -> dict[Any, str]:
    """The name of the first of the concatenations that share tensors, by tensor of TensorRT."""
    firsts: dict[str, str] = {}
    by_tensor: dict[Any, str] = {}

    def first(name: str) -> str:
        while firsts[name] != name:
            name = firsts[name]
        return name

    for name, uses in found.items():
        if uses[0].kind != CONCATENATION:
            continue
        firsts[name] = name
        for tensor in {x.trt: None for use in uses for x in (*use.operands, use.result)}:
            other = first(by_tensor.setdefault(tensor, name))
            if other != first(name):
                firsts[first(name)] = other
    return {tensor: first(name) for tensor, name in by_tensor.items()}


def _inputs(network: DefinedNetwork, weights: Collection[str], by_tensor: Mapping[Any, str]) -> dict[str, str]:
    """The ranges of the inputs of convolutions whose inputs are all of one, by key."""
    found = {}
    for key in weights:
        ranges = {by_tensor.get(use.x.trt) for use in watched(network).uses[key]}
        if len(ranges) == 1 and (only := ranges.pop()) and len(network.checkpoint.info(key).shape) > 2:
            found[key] = only
    return found
