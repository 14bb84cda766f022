"""Tensors of Triton's python backend as numpy arrays and back, by DLPack: its ``as_numpy()`` is wrong with numpy 2."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
USED = b"used_dltensor"
_set_name = ctypes.pythonapi.PyCapsule_SetName
_set_name.argtypes, _set_name.restype = [ctypes.py_object, ctypes.c_char_p], ctypes.c_int


def to_array(tensor: Any) -> Array:
    """The server's tensor, without a copy."""
    return np.from_dlpack(tensor)


def to_tensor(kind: Any, name: str, array: Any) -> Any:
    """A tensor of the server. kind: its ``Tensor`` class."""
    if not array.size:  # the server takes none of these by DLPack
        return kind(name, array)
    offered = _Offered(np.require(array, requirements=("C", "W")))
    made = kind.from_dlpack(name, offered)
    for capsule in offered.capsules:
        _set_name(capsule, USED)  # the server takes it under another name, which numpy reports as an error
    return made


class _Offered:
    """An array for DLPack that remembers what was taken."""

    def __init__(self, array: Array) -> None:
        self._array = array
        self.capsules: list[Any] = []

    def __dlpack__(self, **_: Any) -> Any:
        self.capsules.append(self._array.__dlpack__())  # as every version of DLPack has it
        return self.capsules[-1]

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._array.__dlpack_device__()
