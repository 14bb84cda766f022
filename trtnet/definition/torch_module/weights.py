"""A module's parameters and buffers, known by identity, and what torch computed from them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from trtnet.definition.torch_module.writes import memory_of
from trtnet.graph import Buffer, Network, Parameter
from trtnet.graph.structures import leaves
from trtnet.reference.step import to_torch
from trtnet.support.arrays import values
from trtnet.support.dtypes import DType
from trtnet.support.errors import ModelError
from trtnet.support.source import here

CONVERSIONS = {"float": torch.float32, "double": torch.float64, "half": torch.float16, "bfloat16": torch.bfloat16}
"""Functions that give a tensor another dtype."""


_RANDOM = """
rand rand_like randn randn_like randint randint_like randperm normal bernoulli multinomial poisson binomial
uniform_ normal_ bernoulli_ random_ exponential_ geometric_ cauchy_ log_normal_
"""
RANDOM = frozenset(_RANDOM.split())
"""torch's functions whose results are others at each call. They may be called: not all are used in eval mode."""


@dataclass(frozen=True)
class Known:
    """What is known of a torch tensor. sources: the weights that it was computed from.

    own: whether its floats keep their dtype in a network of another, as what a module converts itself does. kept:
    whether it is a plain attribute, which half() does not convert: its floats take the dtype that they are used with.
    random: torch's function of which it has random numbers, if any. bases: the ids of the module's own tensors that
    it was computed from.
    """

    tensor: torch.Tensor
    sources: frozenset[Parameter] = frozenset()
    own: bool = False
    kept: bool = False
    random: str = ""
    bases: frozenset[int] = frozenset()


class ModuleWeights:
    """Which tensors are the module's own, and which were computed from them while the network was being defined.

    A parameter or buffer of the state dict is the Parameter of its key, so that the engine's weights keep their names.
    What torch computes from some (``weight * scale``, a table that is indexed) is a constant, and their keys are
    recorded as folded. All of them are in the dtype of the network, as ``module.half()`` would make them, but for what
    the module converts itself (``self.weight.float()``). What torch computes with has the values of the network's
    checkpoint while the module is being called.
    """

    def __init__(self, module: torch.nn.Module) -> None:
        self._parameters: dict[int, tuple[torch.Tensor, Parameter]] = {}
        self._derived: dict[int, Known] = {}
        self._keys = list(self._named(module))
        self._filled: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        stored = set(self._parameters)
        self._used = set[int]()
        self._memory = dict[int, str]()
        for name, tensor in (*module.named_parameters(), *module.named_buffers()):
            self._memory.setdefault(memory_of(tensor), name)
            if id(tensor) not in stored:
                self._derived[id(tensor)] = Known(tensor, own=tensor.is_complex(), bases=frozenset([id(tensor)]))
        for name, tensor in _plain_attributes(module):
            self._memory.setdefault(memory_of(tensor), name)
            if id(tensor) not in stored and not self.is_weight(tensor):
                self._derived[id(tensor)] = Known(tensor, kept=True, bases=frozenset([id(tensor)]))

        self._memory.pop(0, None)  # of what has none

    def _named(self, module: torch.nn.Module) -> Iterator[tuple[str, Parameter]]:
        for key, tensor in module.state_dict(keep_vars=True).items():
            if not isinstance(tensor, torch.Tensor):
                continue
            if id(tensor) not in self._parameters:
                kind = Parameter if isinstance(tensor, torch.nn.Parameter) else Buffer
                self._parameters[id(tensor)] = tensor, kind(*_stored_shape(tensor), dtype=_stored_dtype(tensor))
            yield key, self._parameters[id(tensor)][1]

    def keys(self) -> list[tuple[str, Parameter]]:
        """(key, parameter) of the state dict; a shared tensor is the same parameter under each of its keys."""
        return self._keys

    def parameter(self, tensor: torch.Tensor) -> Parameter | None:
        """The parameter that a tensor is, if it is one."""
        found = self._parameters.get(id(tensor))
        return None if found is None else found[1]

    def is_weight(self, tensor: Any) -> bool:
        """Whether a tensor is the module's own, or was computed from one."""
        return id(tensor) in self._parameters or id(tensor) in self._derived

    def has_dtype_of_network(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor's floats have the dtype of the network: those of weights, and what is computed from them."""
        known = self._derived.get(id(tensor), Known(tensor, own=id(tensor) not in self._parameters))
        return tensor.is_floating_point() and not known.own and not known.kept

    def check_writable(self, tensor: Any, name: str) -> None:
        """Raises ModelError for a tensor that shares its memory with one that the module has."""
        found = self._memory.get(memory_of(tensor)) if isinstance(tensor, torch.Tensor) else None
        if found:
            text = f"{name} writes to {found} of the module, which a network only reads"
            raise ModelError(here(f"{text}: take it as an argument and return the new value"))

    def sources(self, operands: Iterable[Any]) -> frozenset[Parameter]:
        """The weights that these are, or were computed from."""
        known = (self._known(operand) for operand in operands if self.is_weight(operand))
        return frozenset(parameter for each in known for parameter in each.sources)

    def is_computed_from(self, tensor: torch.Tensor, other: Any) -> bool:
        """Whether torch computed a tensor from one of the module's own."""
        return self.is_weight(tensor) and id(other) in self._known(tensor).bases

    def was_used(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor of the module was computed with."""
        return id(tensor) in self._used

    def converted(self, name: str, operands: Sequence[Any], dtype: torch.dtype) -> torch.Tensor | None:
        """What a function gives that converts a weight of a network of `dtype`; None for another function.

        The weight itself where it has the dtype in the network, so that it keeps its name.
        """
        first = operands[0] if operands else None
        if not isinstance(first, torch.Tensor) or not self.has_dtype_of_network(first):
            return None
        if name in ("detach", "data.__get__"):
            return first
        asked = [CONVERSIONS[name]] if name in CONVERSIONS else []
        asked += [x for x in operands if isinstance(x, torch.dtype)] if name in ("to", "type") else []
        if not asked or asked == [dtype]:
            return first if asked else None
        result = first.detach().to(asked[0])
        if asked[0].is_floating_point:
            known = self._known(first)
            self._derived[id(result)] = Known(result, known.sources, own=True, bases=known.bases)
        return result

    def widened(self, operands: Iterable[Any], dtype: torch.dtype) -> Callable[[Any], Any]:
        """How tensors of the dtype of the network are given to a function with weights, which torch has in another.

        A module that converts its tensors to the dtype of its weights means them to be of one.
        """
        weights = {x.dtype for x in operands if isinstance(x, torch.Tensor) and self.has_dtype_of_network(x)}
        wide = weights.pop() if len(weights) == 1 else dtype

        def widen(leaf: Any) -> Any:
            if wide == dtype or not isinstance(leaf, torch.Tensor) or leaf.dtype != dtype or self.is_weight(leaf):
                return leaf
            return leaf.to(wide)

        return widen

    def fill(self, operands: Iterable[Any], network: Network) -> None:
        """Gives the weights among these, with which torch will compute, the values of the network's checkpoint."""
        for operand in operands:
            if isinstance(operand, torch.Tensor) and not self.is_weight(operand):
                _check_values(operand)
            tensor, parameter = self._parameters.get(id(operand), (None, None))
            if tensor is None or parameter is None or id(tensor) in self._filled:
                continue
            if tensor.is_meta:
                text = f"{network.key(parameter)} is on torch's meta device, and the module computes with its values"
                raise ModelError(here(f"{text}: make the module on the CPU, load_state_dict(..., assign=True)"))
            found = to_torch(network.stored(parameter))
            found = torch.view_as_complex(found) if tensor.is_complex() else found
            self._filled[id(tensor)] = tensor, tensor.data
            if found.data_ptr() != tensor.data_ptr():  # they are not the module's own
                tensor.data = found.to(tensor.device, tensor.dtype)
                self._memory[memory_of(tensor)] = network.key(parameter)

    @contextmanager
    def restored(self) -> Iterator[None]:
        """At the end the weights have their own values again, and what was computed from them is forgotten."""
        before = dict(self._derived)
        try:
            yield
        finally:
            for tensor, own in self._filled.values():
                tensor.data = own
            self._filled.clear()
            self._derived = before

    def derive(self, name: str, results: Iterable[Any], operands: Collection[Any]) -> None:
        """Notes that the function `name` computed `results` from `operands`, of which some may be weights."""
        weights = [self._known(operand) for operand in operands if self.is_weight(operand)]
        self._used |= {id(known.tensor) for known in weights}
        random = name if name in RANDOM else next((weight.random for weight in weights if weight.random), "")
        if not weights and not random:
            return
        sources = self.sources(operands)
        bases = frozenset(base for weight in weights for base in weight.bases)
        own, kept = not weights or any(weight.own for weight in weights), all(weight.kept for weight in weights)
        for tensor in results:
            if isinstance(tensor, torch.Tensor) and (random or not self.is_weight(tensor)):
                self._derived[id(tensor)] = Known(tensor, sources, own, kept, random, bases)
            elif isinstance(tensor, torch.Tensor) and id(tensor) in self._derived:  # it was written to
                known = self._derived[id(tensor)]
                self._derived[id(tensor)] = replace(known, sources=known.sources | sources, bases=known.bases | bases)

    def _known(self, tensor: torch.Tensor) -> Known:
        if id(tensor) in self._parameters:
            sources = frozenset([self._parameters[id(tensor)][1]])
            return Known(tensor, sources, own=tensor.is_complex(), bases=frozenset([id(tensor)]))
        return self._derived[id(tensor)]

    def array(self, tensor: torch.Tensor, network: Network, beside: Collection[DType] = ()) -> np.ndarray[Any, Any]:
        """A tensor that is not a parameter as a constant of the network. beside: the dtypes of what it is used with.

        Raises ModelError for random numbers, and for a tensor without values.
        """
        known = self._derived.get(id(tensor))
        self._used.add(id(tensor))
        if known is not None and known.random:
            text = f"what torch.{known.random} makes is random at every call: give the random numbers as an input"
            raise ModelError(here(f"{text}, or use ops.rand and ops.randn"))
        _check_values(tensor)
        array = values(tensor)
        wanted = np.dtype(np.float32) if array.dtype == np.float64 else array.dtype
        if known is not None:
            network.folded |= {network.key(parameter) for parameter in known.sources}
            floats = {dtype for dtype in beside if dtype.is_floating}
            if self.has_dtype_of_network(tensor):
                wanted = network.dtype.numpy
            elif known.kept and tensor.is_floating_point() and len(floats) == 1:
                wanted = floats.pop().numpy
        with np.errstate(over="ignore"):
            return array.astype(wanted)


def _stored_shape(tensor: torch.Tensor) -> tuple[int, ...]:
    """The shape of a weight in a checkpoint: a complex one has its two parts in a last axis."""
    return (*tensor.shape, 2) if tensor.is_complex() else tuple(tensor.shape)


def _stored_dtype(tensor: torch.Tensor) -> str | None:
    """The dtype of a weight in a network; None for that of the network. half() does not convert complex weights."""
    if tensor.is_complex():
        return "float32"
    return None if tensor.is_floating_point() else str(tensor.dtype).removeprefix("torch.")


def _check_values(tensor: torch.Tensor) -> None:
    """Raises ModelError for what torch made of a tensor of the network without asking what that is."""
    if tensor.is_meta:
        text = "a function that torch lets nobody answer, such as torch.vmap or one of an extension, was called with"
        raise ModelError(here(f"{text} a tensor of the network: write it with torch's plain functions"))


def _plain_attributes(module: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """(name, tensor) of what modules keep beside parameters and buffers, such as what they computed in an earlier call.

    Those in lists and dicts, too.
    """
    for path, each in module.named_modules():
        for name, value in vars(each).items():
            if name not in ("_parameters", "_buffers", "_modules"):
                tensors = (leaf for leaf in leaves(value) if isinstance(leaf, torch.Tensor))
                yield from ((f"{path}.{name}" if path else name, tensor) for tensor in tensors)
