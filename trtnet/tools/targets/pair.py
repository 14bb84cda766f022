"""A model and its torch original, with their weights and inputs, as the command line names them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trtnet.builder import describe
from trtnet.checkpoint import Checkpoint
from trtnet.definition import DefinedNetwork, define
from trtnet.graph import Input
from trtnet.nn import Module
from trtnet.tools.targets import arguments, models
from trtnet.tools.targets.networks import Choices
from trtnet.tools.targets.original import opened
from trtnet.verify.arrays.feeding import Arrays
from trtnet.verify.comparison.carrying import Declared


@dataclass(frozen=True)
class Pair:
    """name: the model's. whose_weights: what the report says of the weights of both."""

    name: str
    model: Module
    specs: Mapping[str, Input]
    checkpoint: Checkpoint
    original: Any
    whose_weights: tuple[str, ...]
    choices: Choices

    @property
    def ignored(self) -> tuple[str, ...]:
        """The keys that the model may leave out, as ``define(ignored=...)`` takes them."""
        return self.choices.checkpoint.ignored

    def define(self, strict: bool) -> DefinedNetwork:
        """The network as it was chosen. Raises as define does."""
        return define(self.model, self.specs, self.checkpoint, strict=strict, name=self.name, **self.choices.definition)


def open_pair(name: str, torch: str | None, choices: Choices, load: bool | None) -> Pair:
    """The model of a name and the torch module of a factory. load: whether the torch module gets the checkpoint too.

    torch: None for the factory of the model itself.
    Without a checkpoint the model has the torch module's weights. Raises as the factories do, and for weights that do
    not fit them.
    """
    model = models.made(name, choices.values)
    specs = arguments.inputs(choices.inputs) or model.inputs
    torch = name if torch is None else torch
    theirs, whose = opened(torch, choices.checkpoint, load, choices.values)
    said = f"weights: {name} has those of {choices.checkpoint.file or torch}", f"weights: {whose}"
    return Pair(name, model, specs, choices.checkpoint.open_or(theirs), theirs, said, choices)


def completed(
    network: DefinedNetwork,
    given: Arrays,
    sizes: Mapping[str, int],
    ranges: Mapping[str, tuple[float, float]],
    seed: int,
    *,
    from_zero: bool = False,
) -> Arrays:
    """The given arrays, and random ones for the network's other inputs: see :meth:`Declared.completed`."""
    declared = Declared(network.states, describe(network).inputs)
    return declared.completed(given, sizes, ranges, seed, from_zero=from_zero)
