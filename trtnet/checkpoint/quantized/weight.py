"""A quantized weight of a checkpoint, before it is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from trtnet.checkpoint.quantized.scheme import Scheme
from trtnet.checkpoint.quantized.tensor import QuantizedTensor
from trtnet.support.dtypes import DType


@dataclass(frozen=True)
class QuantizedWeight:
    """A weight that a checkpoint holds quantized.

    key: of the float weight, as a model names it. shape: of the float weight. scheme: how it is quantized. dtype: of
    the float weight. parts: the keys that it is stored under. read: reads them. input_scale: reads the scale of the
    inputs of its product, a multiplier, where the file has one.
    """

    key: str
    shape: tuple[int, ...]
    scheme: Scheme
    dtype: DType
    parts: tuple[str, ...]
    read: Callable[[], QuantizedTensor] = field(repr=False)
    input_scale: Callable[[], float] | None = field(default=None, repr=False)
