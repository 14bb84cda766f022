"""Arrays in trtexec's forms: raw inputs (``--loadInputs``) and JSON of outputs (``--exportOutput``)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from trtnet.support import dtypes
from trtnet.support.call_interface import TensorInfo
from trtnet.support.errors import InputError
from trtnet.support.json_text import by_one_name
from trtnet.support.text.counted import counted
from trtnet.verify.arrays.feeding import Array, Arrays

SIX_DIGITS = 10**6
"""What trtexec's digits of a float cannot say exactly."""


def read_raw(path: str | os.PathLike[str], info: TensorInfo, dims: Mapping[str, int]) -> Array:
    """An input from its bytes alone, as ``array.tofile`` writes them; `dims` has the sizes of dynamic axes.

    Raises InputError if the file is missing, or has another number of bytes than the input.
    """
    missing = [size for size in info.shape if isinstance(size, str) and size not in dims]
    if missing:
        raise InputError(f"{path} does not say its shape: give the size of {missing[0]}, as in --dim {missing[0]}=1")
    shape = [size if isinstance(size, int) else dims[size] for size in info.shape]
    dtype = dtypes.get(info.dtype)
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"input {info.name}: cannot read {path}: {error.strerror or error}") from error
    if len(data) != prod(shape) * dtype.numpy.itemsize:
        raise InputError(
            f"input {info.name}: {path} has {counted(len(data), 'byte')}; {shape} {dtype} has"
            f" {prod(shape) * dtype.numpy.itemsize:,}"
        )
    return np.frombuffer(data, dtype.numpy).reshape(shape).copy()


def is_export(document: Any) -> bool:
    """Whether a JSON document is one of ``--exportOutput``."""
    return (
        isinstance(document, list)
        and bool(document)
        and all(isinstance(each, dict) and {"name", "dimensions", "values"} <= set(each) for each in document)
    )


def decode(document: Any) -> Arrays:
    """The outputs of ``--exportOutput``: trtexec writes no dtype, and six digits of floats, all digits of integers.

    Whole numbers of more than six digits can be integers only, and are int64; everything else is float32, which holds
    the smaller ones exactly. Raises InputError.
    """
    try:
        return by_one_name((each["name"], _array(each)) for each in document)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"not the outputs that trtexec exported: {error}") from error


def legible(text: str) -> str:
    """JSON from what trtexec writes: NaN and infinities stand there as C++ prints them."""
    return re.sub(r"(?<=[\s\[,])-?nan(?=[\s\],])", "NaN", re.sub(r"(?<=[\s\[,-])inf(?=[\s\],])", "Infinity", text))


def _array(entry: Mapping[str, Any]) -> Array:
    shape = [int(size) for size in str(entry["dimensions"]).split("x")] if entry["dimensions"] else []
    values = entry["values"]
    is_long = all(type(each) is int for each in values) and any(abs(each) >= SIX_DIGITS for each in values)
    return np.array(values, np.int64 if is_long else np.float32).reshape(shape)
