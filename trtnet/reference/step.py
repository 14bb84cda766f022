"""One layer at the moment it is executed: TensorRT's layer, its input values, its weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from trtnet.support import dtypes, provenance
from trtnet.support.backend import trt
from trtnet.support.errors import ExecutionError

WeightArrays = Mapping[tuple[str, str], np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Step:
    """What a layer's function gets.

    layer: TensorRT's layer, of its own class, its attributes read from the built network. inputs: its values; None
    for an optional input that is absent. Floating values are float32, whatever the tensor's dtype.
    weights: arrays that TensorRT does not give back, by (layer name, attribute).
    """

    layer: trt.ILayer
    inputs: list[torch.Tensor | None]
    weights: WeightArrays

    @property
    def x(self) -> torch.Tensor:
        """The first input."""
        return self.input(0)

    def input(self, index: int) -> torch.Tensor:
        """An input that must be there."""
        value = self.inputs[index]
        assert value is not None
        return value

    def optional(self, index: int) -> torch.Tensor | None:
        """An input that may be absent."""
        return self.inputs[index] if index < len(self.inputs) else None

    def weight(self, attribute: str) -> torch.Tensor | None:
        """The layer's weights of that name, flat; None where there are none. Floating ones become float32."""
        value = getattr(self.layer, attribute)
        if isinstance(value, trt.Weights):
            value = self._opaque(value, attribute)
        return None if value.size == 0 else widen(to_torch(value)).flatten()

    def _opaque(self, value: trt.Weights, attribute: str) -> np.ndarray[Any, Any]:
        if value.size == 0:
            return np.empty(0, np.float32)
        key = self.layer.name, attribute
        if key not in self.weights:
            raise ExecutionError(
                f"{describe(self.layer)}: TensorRT does not return {attribute} of {dtypes.get(value.dtype)}, and the"
                f" caller gave none for {key}"
            )
        return self.weights[key]

    @property
    def output_dtype(self) -> dtypes.DType:
        """The dtype TensorRT declares for the first output."""
        return dtypes.get(self.layer.get_output(0).dtype)


LayerFunction = Callable[[Step], list[torch.Tensor]]
"""Executes one kind of layer: the values of its outputs."""


def widen(x: torch.Tensor) -> torch.Tensor:
    """Floating values as float32, in which everything is computed."""
    return x.float() if x.is_floating_point() else x


def storage(dtype: dtypes.DType) -> torch.dtype:
    """The torch dtype that values are kept in: 4-bit types in wider ones, which torch does not compute with."""
    wider = {"int4": torch.int8, "float4_e2m1fn": torch.float32}
    return wider.get(dtype.name) or getattr(torch, dtype.name)


def to_torch(array: np.ndarray[Any, Any]) -> torch.Tensor:
    """A numpy array of any dtype of the table as torch's."""
    if dtypes.get(array.dtype).bits == 4:
        return torch.from_numpy(array.astype(np.int8 if array.dtype == dtypes.int4.numpy else np.float32))
    dtype = getattr(torch, dtypes.get(array.dtype).name)
    if array.dtype.kind != "V":  # numpy's own; a dtype that was pickled does not say that it is built in
        return torch.from_numpy(array if array.flags.writeable else array.copy())
    bits = {1: np.uint8, 2: np.int16}[array.dtype.itemsize]
    return torch.from_numpy(array.view(bits).copy()).view(dtype)


def to_numpy(x: torch.Tensor) -> np.ndarray[Any, Any]:
    """A torch tensor as a numpy array, of an ml_dtypes dtype where numpy has none."""
    dtype = dtypes.get(x.dtype).numpy
    if dtype.isbuiltin == 1:
        return np.asarray(x.numpy())
    bits = {1: torch.uint8, 2: torch.int16}[dtype.itemsize]
    return np.asarray(x.contiguous().view(bits).numpy()).view(dtype)


def describe(layer: trt.ILayer) -> str:
    """A layer's name and, where trtnet wrote it, the line it comes from."""
    found = provenance.read(layer.metadata)
    return f"{layer.name} (from {found[0].source})" if found else str(layer.name)
