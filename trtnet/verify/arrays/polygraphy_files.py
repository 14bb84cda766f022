"""Arrays in polygraphy's JSON, as its ``--save-inputs`` and ``--save-outputs`` write it and its loaders read it.

An array is the base64 of its ``.npy`` form. That form has no bfloat16 or float8: such arrays are written as float32,
which holds each of their values, and read back as float32.
"""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trtnet.support.arrays import DAMAGED, not_numbers
from trtnet.support.errors import InputError
from trtnet.support.json_text import by_one_name
from trtnet.verify.arrays.feeding import Array, Arrays

CLASS = "polygraphy_class"


def plain(array: Array) -> Array:
    """An array of a dtype that numpy's files know: bfloat16, float8 and the like as float32, int4 as int8."""
    if array.dtype.kind != "V":
        return array
    return array.astype(np.int8 if np.dtype(array.dtype).name == "int4" else np.float32)


def encode_inputs(iterations: Sequence[Mapping[str, Array]]) -> Any:
    """The document of ``--save-inputs``: a list of arrays by name."""
    return [{name: _encode(array) for name, array in arrays.items()} for arrays in iterations]


def encode_outputs(runs: Mapping[str, Sequence[Mapping[str, Array]]]) -> Any:
    """The document of ``--save-outputs``, ``RunResults``: by runner, the outputs of each iteration."""
    return {"lst": [[runner, [_result(runner, x) for x in results]] for runner, results in runs.items()]} | {
        CLASS: "RunResults"
    }


def decode(document: Any) -> dict[str, list[Arrays]]:
    """By runner, the arrays of each iteration; saved inputs are of the runner "".

    Raises InputError for a document that is neither.
    """
    try:
        if isinstance(document, list):
            return {"": [_arrays(each) for each in document]}
        if "lst" not in document:
            return {"": [_arrays(document)]}
        runs: list[tuple[str, list[Any]]] = document["lst"]
        return by_one_name((runner, [_arrays(result["outputs"]) for result in results]) for runner, results in runs)
    except (KeyError, TypeError, ValueError, AttributeError, binascii.Error) as error:
        raise InputError(f"neither inputs nor outputs that polygraphy saved: {error!r}") from error


def _result(runner: str, arrays: Mapping[str, Array]) -> Any:
    outputs = {name: {"values": _encode(array), CLASS: "LazyArray"} for name, array in arrays.items()}
    return {"outputs": outputs, "runtime": None, "runner_name": runner, CLASS: "IterationResult"}


def _encode(array: Array) -> Any:
    file = io.BytesIO()
    np.save(file, plain(array), allow_pickle=False)
    return {"array": base64.b64encode(file.getvalue()).decode(), CLASS: "ndarray"}


def _arrays(values: Mapping[str, Any]) -> Arrays:
    return {name: _decode(value) for name, value in values.items()}


def _decode(value: Mapping[str, Any]) -> Array:
    if value[CLASS] in ("LazyArray", "LazyNumpyArray"):
        return _decode(value["values"])
    if value[CLASS] == "Tensor":
        return _torch(base64.b64decode(value["tensor"], validate=True))
    data = io.BytesIO(base64.b64decode(value["array"], validate=True))
    try:
        array = np.load(data, allow_pickle=False)
    except DAMAGED as error:
        raise ValueError(not_numbers(error)) from error
    if not isinstance(array, np.ndarray):
        raise ValueError("an archive of several arrays instead of one")
    return array


def _torch(data: bytes) -> Array:
    import torch

    from trtnet.reference.step import to_numpy

    return to_numpy(torch.load(io.BytesIO(data), map_location="cpu", weights_only=True))
