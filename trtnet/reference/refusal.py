"""The error of a layer that does not take the values it met."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from trtnet.support import dtypes, provenance
from trtnet.support.backend import trt
from trtnet.support.errors import ExecutionError, TrtnetError
from trtnet.support.source import SourceLine
from trtnet.support.text.messages import message


class RefusedError(ValueError):
    """What a layer's function says of values that it does not take, in place of what torch would say."""


@contextmanager
def explained(layer: trt.ILayer, operands: Mapping[Any, torch.Tensor]) -> Iterator[None]:
    """Raises what torch or the layer's function refuses as an ExecutionError.

    It names the layer, the user's line, the operands, and has the words of either.
    """
    try:
        yield
    except (RuntimeError, IndexError, ValueError) as error:
        if isinstance(error, TrtnetError):
            raise
        rows = [(str(tensor.name), _described(tensor, value)) for tensor, value in operands.items()]
        is_ours = isinstance(error, RefusedError)
        words = [] if is_ours else [f"torch: {line}" for line in str(error).splitlines()]
        headline = f"{layer.name}: {error if is_ours else 'the layer does not take these values'}"
        raise ExecutionError(message(headline, _source(layer), rows, words)) from error


def _source(layer: trt.ILayer) -> SourceLine | None:
    found = provenance.read(layer.metadata)
    file, _, line = found[0].source.rpartition(":") if found else ("", "", "")
    return SourceLine(file, int(line)) if file else None


def _described(tensor: trt.ITensor, value: torch.Tensor) -> str:
    """``[2, 8] float32``; of integers, as indices are, their range too."""
    text = f"{list(value.shape)} {dtypes.get(tensor.dtype)}"
    if value.is_floating_point() or value.dtype == torch.bool or not value.numel():
        return text
    return f"{text}, {int(value.min())} to {int(value.max())}"
