"""Weights that a network holds quantized, as TensorRT can say it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from trtnet.graph.inputs import Input
from trtnet.graph.place import is_in
from trtnet.support.dtypes import DType

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class QuantizedArrays:
    """``weight = values * scale - spread(correction)``, columns put back in order, times the factor of each.

    TensorRT knows no zero points but 0: the correction is what they, or offsets, add to each block of columns.

    values: [rows, ...] int8, float8, int4 or float4. scale: one number, one for each slice of `axis`, or one for each
    block, of the rank of the values. axis, block_shape: as ``ops.dequantize`` takes them. outer_scale: of the scales,
    None for none. correction: [rows, blocks] float32, or None. order: the places of the columns in the float weight,
    where they are sorted by blocks. factor: [columns], what the inputs of the product are multiplied by; or None.
    """

    values: Array
    scale: Array
    axis: int | None = None
    block_shape: tuple[int, ...] | None = None
    outer_scale: float | None = None
    correction: Array | None = None
    order: Array | None = None
    factor: Array | None = None

    def rows(self, chosen: Array) -> QuantizedArrays:
        """Those of some rows of a matrix."""
        scale, block = self.scale, self.block_shape
        if scale.ndim == 2 and block is not None and block[0] > 1:  # a row has the scales of its block
            scale, block = scale.repeat(block[0], 0)[: len(self.values)], (1, block[1])
        own = scale.ndim > 0 and len(scale) == len(self.values) and self.axis in (None, 0, 1)
        return replace(
            self,
            values=np.ascontiguousarray(self.values[chosen]),
            scale=np.ascontiguousarray(scale[chosen]) if own else scale,
            block_shape=block,
            correction=None if self.correction is None else np.ascontiguousarray(self.correction[chosen]),
        )


@dataclass(frozen=True)
class QuantizedParameter:
    """A parameter that is quantized in the network.

    scheme: in words. dtype: of the values. blocks: what shares a scale, by axis, 0 for a whole one. read: gives the
    arrays. inputs: the dtype that the inputs of its product are quantized to, None
    for floats; input_scale: their scale. input_block: how many columns of them share a scale that is measured at run
    time, 0 for none; of float4, input_scale is then that of the scales.
    """

    scheme: str
    dtype: DType
    blocks: tuple[int, ...]
    read: Callable[[], QuantizedArrays] = field(repr=False)
    inputs: DType | None = None
    input_scale: float = 1.0
    input_block: int = 0


ATTENTION_IN = "attention in "
"""What the words of a quantized attention begin with; its dtype follows."""


def attention_name(path: str) -> str:
    """What reports call the attention of the module at a path."""
    return f"{path} (attention)".strip()


@dataclass(frozen=True)
class QuantizedAttention:
    """Both products of an attention in 8 bits. dtype: of all four operands. The others: the scale of each.

    query: of queries that have the attention's own factor. probability: of what the softmax gives.
    """

    dtype: DType
    query: float
    key: float
    probability: float
    value: float

    def __str__(self) -> str:
        return f"{ATTENTION_IN}{self.dtype}"


CACHE_IN = "cache in "
"""What the words of a quantized cache begin with; its dtype follows."""


@dataclass(frozen=True)
class QuantizedCache:
    """A cache that a network takes and gives in 8 bits. dtype: of its values. scale: one number, or [heads], float32.

    output: the name of the output that is the next call's, "" for one by the cache's own name.
    """

    dtype: DType
    scale: Array
    output: str = ""

    @property
    def axis(self) -> int | None:
        """That of the heads, where each has a scale."""
        return 1 if self.scale.ndim else None

    def __str__(self) -> str:
        return f"{CACHE_IN}{self.dtype}, {'a scale a head' if self.scale.ndim else 'one scale'}"


@dataclass(frozen=True)
class HeldCache:
    """What is in 8 bits of a tensor of floats that was made of it. values: the tensor."""

    cache: QuantizedCache
    values: Any


@dataclass(frozen=True)
class Use:
    """A product with a weight. x: the tensor that it is multiplied with. axis: that of the channels of `x`.

    bias: the key of what is added, "" for nothing; None for something that is no parameter, and where it does not
    matter. groups: of a convolution.
    """

    x: Any
    axis: int
    bias: str | None
    groups: int = 1


@dataclass(frozen=True)
class NormUse:
    """A batch norm that a convolution has in its weights: the keys of its parameters, "" for those it does not have.

    holds: whether it is still so, which what is read later may change.
    """

    mean: str
    variance: str
    weight: str
    bias: str
    eps: float
    holds: Callable[[], bool] = field(repr=False)


@dataclass(frozen=True)
class ScaledNorm:
    """A layer or RMS norm with a weight. y: its result. bias: its key, "" where there is none."""

    y: Any
    weight: str
    bias: str


@dataclass(frozen=True)
class AttentionUse:
    """The operands of both products of an attention: queries with the attention's factor, probabilities."""

    query: Any
    key: Any
    probability: Any
    value: Any


@dataclass
class Watched:
    """What is noted of a network of floats. uses, norms: by the key of the weight. attentions: by the module's path.

    tables: the keys of the weights whose rows are looked up.
    """

    uses: dict[str, list[Use]] = field(default_factory=dict)
    norms: dict[str, list[NormUse]] = field(default_factory=dict)
    scaled: list[ScaledNorm] = field(default_factory=list)
    attentions: dict[str, list[AttentionUse]] = field(default_factory=dict)
    tables: set[str] = field(default_factory=set)


class QuantizedParameters:
    """The quantized parameters of a network, by checkpoint key. used: the keys of those that an operation has taken.

    attention_of: what the attention of the module at a path is quantized to. attentions: those of the network, by path.
    cache_of: the same of an input by its name and what is declared. caches: those of the network. held: what is in 8
    bits of the tensors
    that a model takes for caches, by TensorRT's tensor. placed: caches that differ from those before at positions which
    sequences that take no part in a call do not read.
    watched: what is noted of the operations with weights, where that is to be known; None where not.
    """

    def __init__(self) -> None:
        self.watched: Watched | None = None
        self.attention_of: Callable[[str], QuantizedAttention | None] = lambda path: None
        self.attentions: dict[str, QuantizedAttention] = {}
        self.cache_of: Callable[[str, Input], QuantizedCache | None] = lambda name, spec: None
        self.caches: dict[str, QuantizedCache] = {}
        self.held: dict[Any, HeldCache] = {}
        self.placed: set[Any] = set()
        self.by_key: dict[str, QuantizedParameter] = {}
        self.used: set[str] = set()

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

    @property
    def described(self) -> dict[str, str]:
        """The schemes of what is quantized in the network: by key, by the module's path, by the name of the input."""
        weights = {key: found.scheme for key, found in self.by_key.items() if key in self.used}
        others = {**self.attentions, **self.caches}
        return weights | {name: str(found) for name, found in others.items()}

    @property
    def dtypes(self) -> frozenset[str]:
        """The dtypes of those that are quantized in the network, and of their inputs."""
        return self.dtypes_in("")

    def dtypes_in(self, module: str) -> frozenset[str]:
        """The same of a module at a path, with those in it."""
        used = [found for key, found in self.by_key.items() if key in self.used and is_in(key, module)]
        products = {found.dtype.name for path, found in self.attentions.items() if is_in(path, module)}
        operands = (each for found in used for each in (found.dtype, found.inputs) if each is not None)
        caches = {found.dtype.name for found in self.caches.values() if not module}
        return frozenset(products | caches | {each.name for each in operands})

    @property
    def floats(self) -> list[str]:
        """The keys of those that no operation has taken: what uses them does with floats."""
        return [key for key in self.by_key if key not in self.used]
