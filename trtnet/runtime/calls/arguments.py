"""The arguments of a call, looked at once for each combination of kinds, shapes and dtypes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from trtnet.builder.plan import PlanInfo
from trtnet.runtime.cuda.torch_tensors import check_devices
from trtnet.runtime.execution.profiles import fitting
from trtnet.runtime.execution.shape_inputs import Values, values_of
from trtnet.runtime.execution.signature import Signature
from trtnet.support import dtypes
from trtnet.support.arrays import StaticShape
from trtnet.support.call_interface import TensorInfo, bind, check, is_torch
from trtnet.support.errors import InputError

SIGNATURES = 256
"""How many signatures are kept."""


class Arguments:
    """The combinations seen; the last 256 are kept. device: the number of the GPU.

    arrays: the inputs that are arrays on the GPU; the others say sizes. carried: states, which no call gives, and their
    shapes.
    """

    def __init__(
        self, info: PlanInfo, device: int, carried: Mapping[str, tuple[TensorInfo, StaticShape]] = MappingProxyType({})
    ) -> None:
        self._info, self._device = info, device
        self._carried = {name: shape for name, (_, shape) in carried.items()}
        self._states = tuple(each for each, _ in carried.values())
        self._shaped = {
            each.name: np.broadcast_to(np.zeros((), dtypes.get(each.dtype).numpy), shape)
            for each, shape in carried.values()
        }
        self.arrays = tuple(one for one in info.inputs if not one.values)
        self._sizes = {place: one for place, one in enumerate(info.inputs) if one.values}
        self._seen: dict[tuple[Any, ...], Signature] = {}
        self._numbers = itertools.count()

    def find(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Signature | None:
        """What is known of a call, None if none like it came yet."""
        return self._seen.get(self._key(args, kwargs))

    def look(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Signature:
        """What is to know of a call. Raises InputError and ProfileError."""
        signature = self.find(args, kwargs)
        if signature is None:
            signature = self._examine(args, kwargs)
            if len(self._seen) == SIGNATURES:
                del self._seen[next(iter(self._seen))]
            self._seen[self._key(args, kwargs)] = signature
        return signature

    def _examine(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Signature:
        inputs = self._info.inputs
        given = bind(inputs, args, kwargs)
        arrays = {info.name: given[info.name] for info in self.arrays}
        on_device = {is_torch(array) for array in arrays.values()}
        if len(on_device) > 1:
            raise InputError("the inputs mix numpy arrays and torch tensors; give all of one kind")
        check((*self._states, *self.arrays), {**self._shaped, **arrays})
        if True in on_device:
            check_devices(arrays, self._device)
        shapes = {
            info.name: values_of(info, given[info.name]) if info.values else tuple(given[info.name].shape)
            for info in inputs
        }
        shapes |= self._carried
        places = {name: len(args) + place for place, name in enumerate(kwargs)}
        places |= {info.name: place for place, info in enumerate(inputs[: len(args)])}
        order = tuple((info.name, places[info.name]) for info in self.arrays)
        profiles = fitting(self._info.profiles, shapes)
        return Signature(next(self._numbers), order, True in on_device, shapes, profiles)

    def _key(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, ...]:
        key = (len(args), *kwargs, *map(kind_of, args), *map(kind_of, kwargs.values()))
        return (*key, *self._values(args, kwargs)) if self._sizes else key

    def _values(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Iterator[Values]:
        """The values of inputs that say sizes, as far as they are given: other sizes are another combination."""
        for place, info in self._sizes.items():
            if place < len(args):
                yield values_of(info, args[place])
            elif info.name in kwargs:
                yield values_of(info, kwargs[info.name])


def kind_of(value: Any) -> tuple[Any, ...]:
    """What decides whether a value fits."""
    return (
        type(value),
        getattr(value, "shape", None),
        getattr(value, "dtype", None),
        getattr(value, "device", None),
    )


def converted(values: Sequence[Any], convert: Callable[[Any], Any]) -> tuple[Any, ...]:
    """Values with those that another library keeps on the GPU as torch tensors."""
    return tuple(convert(value) if is_foreign(value) else value for value in values)


def is_foreign(value: Any) -> bool:
    """Whether an array of another library than torch is on a GPU, by what it says of itself."""
    kind = type(value)
    if kind.__module__ in ("numpy", "torch") or is_torch(value):
        return False
    if hasattr(kind, "__cuda_array_interface__"):
        return True
    return hasattr(kind, "__dlpack_device__") and int(value.__dlpack_device__()[0]) == DLPACK_CUDA


DLPACK_CUDA = 2
"""``kDLCUDA`` in DLPack's ``DLDeviceType``."""
