"""Networks that are defined again, as they were, with other weights or without quantization."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from typing import Any

from trtnet.builder import PlanInfo, describe
from trtnet.checkpoint import IGNORED, Source
from trtnet.definition.models import Model
from trtnet.definition.network import DefinedNetwork, define
from trtnet.graph import Input, State
from trtnet.support.call_interface import ACTIVE, output_name


def define_again(
    model: Model,
    info: PlanInfo,
    weights: Source | None,
    *,
    ignored: Sequence[str] = IGNORED,
    strict: bool = True,
    name: str = "",
    arguments: Mapping[str, Any] | None = None,
) -> DefinedNetwork:
    """The network of a model as an engine or a network says that it was: its inputs, dtypes and forms, in floats.

    The others are as in define. Raises as define does.
    """
    forms: dict[str, dict[str, str]] = {}
    for path, chosen in info.forms.items():
        for kind, form in chosen.items():
            forms.setdefault(kind, {})[glob.escape(path)] = form
    return define(
        model,
        _inputs(info),
        weights,
        dtype={"": info.dtype, **info.dtypes},
        ignored=ignored,
        strict=strict,
        forms=forms,
        approximations=True,
        name=name,
        arguments=arguments,
    )


def _inputs(info: PlanInfo) -> dict[str, Input]:
    """What the model takes: its states again as such, without the mask of streams that they add."""
    states, names = {state.input: state for state in info.states}, {given.name for given in info.inputs}
    found: dict[str, Input] = {}
    for given in info.inputs:
        if given.name in states:
            said = states[given.name]
            bare = said.output.removeprefix(output_name("", {""}))
            output = bare if output_name(bare, names) == said.output else said.output
            found[given.name] = State(given.shape, given.dtype, output=output, axis=said.axis)
        elif given.name != ACTIVE or not states:
            found[given.name] = Input(given.shape, given.dtype, given.values)
    return found


def unquantized(network: DefinedNetwork) -> DefinedNetwork | None:
    """The same network in floats; None for one in which nothing is quantized, or whose inputs are quantized caches.

    What its checkpoint holds quantized is dequantized. It takes as much memory again.
    """
    if not network.quantized.described or network.quantized.caches:
        return None
    (model,) = (module for module, path in network.modules.items() if not path)
    return define_again(
        model,
        describe(network),
        network.checkpoint,
        strict=False,
        name=network.model,
        arguments=network.arguments,
    )
