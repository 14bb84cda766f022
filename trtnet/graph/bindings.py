"""Where the parameters of a network come from: a checkpoint key each, read once a dtype."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from trtnet.graph.memory.weight import DeclaredWeight, Weight
from trtnet.support.dtypes import DType
from trtnet.support.errors import ModelError

Array = np.ndarray[Any, Any]
Read = Callable[[str, DType | None], Array]
"""``read(key, dtype)`` gives an array, in the checkpoint's dtype for None."""


W = TypeVar("W", bound=DeclaredWeight)


class Bindings:
    """The keys of parameters, and what has been read by them.

    dtypes: those that modules of the network have. folded: the keys of weights that were computed with while defining,
    and of those that TensorRT has in two dtypes.
    """

    def __init__(self, dtypes: Mapping[str, DType]) -> None:
        self._dtypes = dtypes
        self._keys: Mapping[Any, str] = {}
        self._read: Read | None = None
        self._weights: dict[tuple[DeclaredWeight, DType], Weight] = {}
        self.folded: set[str] = set()

    def bind(self, keys: Mapping[W, str], read: Read) -> None:
        self._keys, self._read = dict(keys), read

    def bind_like(self, other: Bindings) -> None:
        self._keys, self._read = other._keys, other._read

    def key(self, parameter: DeclaredWeight, path: str) -> str:
        """The checkpoint key of a parameter that the module at `path` uses. Raises ModelError if it is unbound."""
        if parameter not in self._keys:
            raise ModelError(
                f"{path or 'the model'} uses {parameter!r}, which is not an attribute of any module of the"
                f" model, so no checkpoint key fills it"
            )
        return self._keys[parameter]

    def array(self, parameter: DeclaredWeight, path: str) -> Array:
        """A parameter as the checkpoint has it, to compute with while defining."""
        self.folded.add(self.key(parameter, path))
        return self.stored(parameter, path)

    def stored(self, parameter: DeclaredWeight, path: str) -> Array:
        """A parameter as the checkpoint has it, to look at: it keeps its name."""
        return self._array(self.key(parameter, path), None)

    def weight(self, parameter: DeclaredWeight, dtype: DType, path: str) -> Weight:
        """A parameter for TensorRT, read when it is needed; under its key, but in one dtype only.

        (Refit gives a name one array.)
        """
        if (parameter, dtype) not in self._weights:
            key = self.key(parameter, path)
            name = key
            if any((parameter, other) in self._weights for other in self._dtypes.values()):
                self.folded.add(key)
                name = ""
            self._weights[parameter, dtype] = Weight(lambda: self._array(key, dtype), name, (parameter.shape, dtype))
        return self._weights[parameter, dtype]

    def _array(self, key: str, dtype: DType | None) -> Array:
        assert self._read is not None  # bind gives both
        return self._read(key, dtype)
