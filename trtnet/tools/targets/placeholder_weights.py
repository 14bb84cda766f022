"""Weights that are not there, for what is to be known of a network before it has any."""

from __future__ import annotations

import numpy as np

from trtnet.checkpoint.base import Array, Checkpoint, TensorSpec
from trtnet.graph import Parameter
from trtnet.nn import Module
from trtnet.support import dtypes
from trtnet.support.dtypes import DTypeLike


class Placeholder(Checkpoint):
    """A checkpoint with a model's own keys, shapes and dtypes, and no data.

    Vectors and scalars are ones, since scales and variances must be positive; larger tensors are zeros in memory that
    is not touched, so that a model of any size takes next to none.
    """

    def __init__(self, model: Module, dtype: DTypeLike) -> None:
        self._parameters = dict(model.named_parameters())
        first: dict[Parameter, str] = {}
        # tied weights are one tensor under several keys
        self._tied = {key: first.setdefault(parameter, key) for key, parameter in self._parameters.items()}
        self._dtype = dtypes.get(dtype)
        super().__init__("no weights", self._parameters)

    def _spec(self, key: str) -> TensorSpec:
        parameter = self._parameters[key]
        return TensorSpec(parameter.shape, dtypes.get(parameter.dtype) if parameter.dtype else self._dtype)

    def _read(self, key: str) -> Array:
        return self._made(self._tied[key])

    def _made(self, key: str) -> Array:
        spec = self._spec(key)
        make = np.ones if len(spec.shape) < 2 else np.zeros
        return make(spec.shape, spec.dtype.numpy)
