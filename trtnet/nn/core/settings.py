"""Arguments of constructors, as torch's layers keep them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trtnet.support import dtypes
from trtnet.support.dtypes import DTypeLike
from trtnet.support.errors import DTypeError, ModelError
from trtnet.support.source import here


def kept(dtype: DTypeLike | None) -> str | None:
    """The dtype that a layer's weights keep; None for the network's. Where they lie (`device`) is the engine's to say.

    Raises ModelError for a dtype that TensorRT lacks.
    """
    try:
        return None if dtype is None else dtypes.get(dtype).name
    except DTypeError as error:
        raise ModelError(here(f"dtype of a layer: {error}")) from error


def tupled(owner: str, name: str, value: Any, axes: int) -> tuple[Any, ...]:
    """A setting as torch's tuple: a number for every axis, or numbers an axis. Raises ModelError for another count."""
    values = tuple(value) if isinstance(value, Sequence) else (value,) * axes
    values = values * axes if len(values) == 1 else values
    if len(values) != axes:
        raise ModelError(here(f"{owner}: {name} is a number or {axes} of them, found {value!r}"))
    return values


def shape_of(owner: str, normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    """The sizes of the last axes as a tuple. Raises ModelError if they are none."""
    sizes = tuple(normalized_shape) if isinstance(normalized_shape, Sequence) else (normalized_shape,)
    if not all(isinstance(size, int) or hasattr(size, "__index__") for size in sizes):
        raise ModelError(here(f"{owner}: normalized_shape is a size or several, found {normalized_shape!r}"))
    return tuple(int(size) for size in sizes)


def inference_only(owner: str, text: str) -> ModelError:
    """The error for a setting with which torch computes something else than an engine can."""
    return ModelError(here(f"{owner}: {text}"))
