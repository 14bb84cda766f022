"""What is noted of a network of floats that is to be quantized."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


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


@dataclass(frozen=True)
class ActivationUse:
    """An operation whose operands can be quantized. operands: those. keys: of the weights of convolutions before it.

    keys: of a sum that of the convolution it is fused into. result: its own, of a concatenation; None of others.
    """

    kind: str
    operands: tuple[Any, ...]
    keys: tuple[str, ...]
    result: Any = None


@dataclass
class Watched:
    """What is noted of a network of floats. uses, norms: by the key of the weight. attentions: by the module's path.

    activations: by their names. tables: the keys of the weights whose rows are looked up.
    """

    uses: dict[str, list[Use]] = field(default_factory=dict)
    norms: dict[str, list[NormUse]] = field(default_factory=dict)
    scaled: list[ScaledNorm] = field(default_factory=list)
    attentions: dict[str, list[AttentionUse]] = field(default_factory=dict)
    activations: dict[str, list[ActivationUse]] = field(default_factory=dict)
    tables: set[str] = field(default_factory=set)
