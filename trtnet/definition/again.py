"""Networks that are defined again, as they were, with other weights or without quantization."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from typing import Any

from trtnet.builder import PlanInfo, describe
from trtnet.checkpoint import IGNORED, Source
from trtnet.definition.models import Model
from trtnet.definition.network import DefinedNetwork, define
from trtnet.graph import Input


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
        {given.name: Input(given.shape, given.dtype, given.values) for given in info.inputs},
        weights,
        dtype={"": info.dtype, **info.dtypes},
        ignored=ignored,
        strict=strict,
        forms=forms,
        approximations=True,
        name=name,
        arguments=arguments,
    )


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
