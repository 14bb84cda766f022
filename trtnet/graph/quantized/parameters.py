"""What of a network is quantized."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from trtnet.graph.inputs import Input
from trtnet.graph.place import is_in
from trtnet.graph.quantized.values import (
    HeldCache,
    QuantizedActivation,
    QuantizedAttention,
    QuantizedCache,
    QuantizedParameter,
)
from trtnet.graph.quantized.watching import Watched


class QuantizedParameters:
    """The quantized parameters of a network, by checkpoint key. used: the keys of those that an operation has taken.

    attention_of: what the attention of the module at a path is quantized to. attentions: those of the network, by path.
    activation_of: the same of an operation by its name, None where none is. activations: those of the network.
    operations: the names of those whose operands can be quantized. shared: activations that are quantized already.
    cache_of: the same of an input by its name and what is declared. caches: those of the network. held: what is in 8
    bits of the tensors
    that a model takes for caches, by TensorRT's tensor. placed: caches that differ from those before at positions which
    sequences that take no part in a call do not read.
    grouped: the keys of kernels in float8, with inputs in float8, of convolutions with groups.
    watched: what is noted of the operations with weights, where that is to be known; None where not.
    """

    def __init__(self) -> None:
        self.watched: Watched | None = None
        self.attention_of: Callable[[str], QuantizedAttention | None] = lambda path: None
        self.attentions: dict[str, QuantizedAttention] = {}
        self.activation_of: Callable[[str], QuantizedActivation | None] | None = None
        self.activations: dict[str, QuantizedActivation] = {}
        self.operations: dict[str, None] = {}
        self._named: Counter[str] = Counter()
        self.shared: dict[Any, Any] = {}
        self.cache_of: Callable[[str, Input], QuantizedCache | None] = lambda name, spec: None
        self.caches: dict[str, QuantizedCache] = {}
        self.held: dict[Any, HeldCache] = {}
        self.placed: set[Any] = set()
        self.by_key: dict[str, QuantizedParameter] = {}
        self.used: set[str] = set()
        self.grouped: set[str] = set()

    def take(self, key: str) -> QuantizedParameter | None:
        """The parameter of a key, for an operation that computes with it quantized; None for one of floats."""
        found = self.by_key.get(key)
        if found is not None:
            self.used.add(key)
        return found

    def attention(self, path: str) -> QuantizedAttention | None:
        """What the attention of a module is quantized to, which is noted; None for floats."""
        found = self.attention_of(path)
        if found is not None:
            self.attentions[path] = found
        return found

    def activation_name(self, path: str, kind: str) -> str:
        """The name of the next operation of a kind in the module at a path: "layer1.0.add", then "layer1.0.add_1"."""
        stem = f"{path}.{kind}".lstrip(".")
        count = self._named[stem]
        self._named[stem] += 1
        return f"{stem}_{count}" if count else stem

    def activation(self, name: str, kind: str) -> QuantizedActivation | None:
        """What an operation's operands are quantized to, which is noted; None for floats."""
        self.operations[name] = None
        found = None if self.activation_of is None else self.activation_of(name)
        if found is not None:
            found = self.activations[name] = replace(found, kind=kind)
        return found

    @property
    def described(self) -> dict[str, str]:
        """The schemes of what is quantized in the network: by key, by the module's path, by the name of the input."""
        weights = {key: found.scheme for key, found in self.by_key.items() if key in self.used}
        others = {**self.attentions, **self.activations, **self.caches}
        return weights | {name: str(found) for name, found in others.items()}

    @property
    def dtypes(self) -> frozenset[str]:
        """The dtypes of those that are quantized in the network, and of their inputs."""
        return self.dtypes_in("")

    def dtypes_in(self, module: str) -> frozenset[str]:
        """The same of a module at a path, with those in it."""
        used = [found for key, found in self.by_key.items() if key in self.used and is_in(key, module)]
        noted: dict[str, QuantizedAttention | QuantizedActivation] = {**self.attentions, **self.activations}
        products = {found.dtype.name for path, found in noted.items() if is_in(path, module)}
        operands = (each for found in used for each in (found.dtype, found.inputs) if each is not None)
        caches = {found.dtype.name for found in self.caches.values() if not module}
        return frozenset(products | caches | {each.name for each in operands})

    @property
    def floats(self) -> list[str]:
        """The keys of those that no operation has taken: what uses them does with floats."""
        return [key for key in self.by_key if key not in self.used]
