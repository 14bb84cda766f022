"""Whether what ``define`` is given is of the kinds that it takes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from trtnet.definition.parallel import TensorParallel
from trtnet.definition.quantization import Quantize
from trtnet.graph.forms import FormChoices
from trtnet.ops.formulations import Tuning
from trtnet.support.errors import ModelError
from trtnet.support.source import here
from trtnet.support.text.messages import type_name

WANTED: dict[str, tuple[tuple[type, ...], str]] = {
    "dims": ((type(None), Mapping), "a dict of the dynamic axes of examples, {'x': {0: 'batch'}}"),
    "forms": (
        (Mapping, Tuning, FormChoices, str, os.PathLike),
        "a dict of kinds of operations, {'gelu': 'layer'}, what trtnet.tune returned, or its file",
    ),
    "quantization": (
        (type(None), Quantize, Mapping, str, os.PathLike),
        'trtnet.Quantize, "checkpoint", a mapping, or a .toml or .json file',
    ),
    "parallel": ((type(None), TensorParallel), "trtnet.TensorParallel"),
    "arguments": ((type(None), Mapping), "a dict, {'depth': 50}"),
    "name": ((str,), "a str"),
}
LISTS = {
    "ignored": "a list of regular expressions, ['^fc\\\\.']",
    "compute_capabilities": "a list of them, ['9.0']",
}


def check_given(
    dims: Any,
    ignored: Any,
    forms: Any,
    quantization: Any,
    parallel: Any,
    compute_capabilities: Any,
    name: Any,
    arguments: Any,
) -> None:
    """Raises ModelError for an argument of ``define`` of another type, by name."""
    given = {"dims": dims, "forms": forms, "quantization": quantization, "parallel": parallel}
    for argument, value in (given | {"name": name, "arguments": arguments}).items():
        kinds, wanted = WANTED[argument]
        if not isinstance(value, kinds):
            raise ModelError(here(f"{argument} is {wanted}; found {_shown(value)}"))
    for argument, value in {"ignored": ignored, "compute_capabilities": compute_capabilities}.items():
        if not _is_list_of_text(value):
            raise ModelError(here(f"{argument} is {LISTS[argument]}; found {_shown(value)}"))
    for example, axes in (dims or {}).items():
        if not isinstance(axes, Mapping):
            raise ModelError(here(f"dims: the axes of {example} are a dict, {{0: 'batch'}}; found {_shown(axes)}"))


def _is_list_of_text(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(item, str) for item in value)


def _shown(value: Any) -> str:
    return f"{value!r}" if isinstance(value, str | int | float | list | tuple | None) else type_name(value)
