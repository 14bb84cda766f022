"""A module's parameters and buffers, known by identity, and what torch computed from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch

from trtnet.graph import Buffer, Network, Parameter
from trtnet.support.arrays import values

Weighed = dict[int, tuple[torch.Tensor, frozenset[str]]]


class ModuleWeights:
    """Which tensors are the module's own, and which were computed from them while the network was being defined.

    A parameter or buffer of the state dict is the Parameter of its key, so that the engine's weights keep their names.
    What torch computes from some (``weight * scale``, a table that is indexed) is a constant, and their keys are
    recorded as folded. All of them are in the dtype of the network, as ``module.half()`` would make them.
    """

    def __init__(self, module: torch.nn.Module) -> None:
        self._parameters: dict[int, tuple[torch.Tensor, Parameter, str]] = {}
        self._derived: Weighed = {}
        self._keys = list(self._named(module))
        stored = {id(tensor) for tensor, *_ in self._parameters.values()}
        self._memory = {each.untyped_storage().data_ptr() for each in (*module.parameters(), *module.buffers())}
        for buffer in module.buffers():
            if id(buffer) not in stored:
                self._derived[id(buffer)] = buffer, frozenset()

    def _named(self, module: torch.nn.Module) -> Iterator[tuple[str, Parameter]]:
        for key, tensor in module.state_dict(keep_vars=True).items():
            if not isinstance(tensor, torch.Tensor):
                continue
            if id(tensor) not in self._parameters:
                kind = Parameter if isinstance(tensor, torch.nn.Parameter) else Buffer
                dtype = None if tensor.is_floating_point() else str(tensor.dtype).removeprefix("torch.")
                self._parameters[id(tensor)] = tensor, kind(*tensor.shape, dtype=dtype), key
            yield key, self._parameters[id(tensor)][1]

    def keys(self) -> list[tuple[str, Parameter]]:
        """(key, parameter) of the state dict; a shared tensor is the same parameter under each of its keys."""
        return self._keys

    def parameter(self, tensor: torch.Tensor) -> Parameter | None:
        """The parameter that a tensor is, if it is one."""
        found = self._parameters.get(id(tensor))
        return None if found is None else found[1]

    def is_weight(self, tensor: Any) -> bool:
        """Whether a tensor is the module's own, or was computed from one: its floats have the network's dtype."""
        return id(tensor) in self._parameters or id(tensor) in self._derived

    def is_stored(self, tensor: Any) -> bool:
        """Whether a tensor shares its memory with a parameter or buffer of the module."""
        return isinstance(tensor, torch.Tensor) and tensor.untyped_storage().data_ptr() in self._memory

    def derive(self, result: Any, operands: Iterable[Any]) -> None:
        """Notes that torch computed `result` from `operands`, of which some may be weights."""
        weights = [operand for operand in operands if self.is_weight(operand)]
        if not weights:
            return
        keys = frozenset(key for weight in weights for key in self._keys_of(weight))
        for tensor in result if isinstance(result, list | tuple) else (result,):
            if isinstance(tensor, torch.Tensor) and id(tensor) not in self._parameters:
                self._derived[id(tensor)] = tensor, keys

    def _keys_of(self, tensor: torch.Tensor) -> frozenset[str]:
        if id(tensor) in self._parameters:
            return frozenset([self._parameters[id(tensor)][2]])
        return self._derived[id(tensor)][1]

    def array(self, tensor: torch.Tensor, network: Network) -> np.ndarray[Any, Any]:
        """A tensor that is no parameter as a constant of the network."""
        array = values(tensor)
        if id(tensor) in self._derived:
            network.folded |= self._derived[id(tensor)][1]
            wanted = network.dtype.numpy if tensor.is_floating_point() else array.dtype
        else:
            wanted = np.dtype(np.float32) if array.dtype == np.float64 else array.dtype
        with np.errstate(over="ignore"):
            return array.astype(wanted)
