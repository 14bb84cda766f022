"""The schemes that a mapping names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from numbers import Real
from typing import Any

import numpy as np

from trtnet.checkpoint.quantized.rounding import LARGEST
from trtnet.checkpoint.quantized.scheme import WHOLE
from trtnet.checkpoint.quantized.weight import NVFP4_BLOCK
from trtnet.graph.quantized import QuantizedActivation, QuantizedAttention, QuantizedCache
from trtnet.support import dtypes
from trtnet.support.dtypes import DType
from trtnet.support.errors import DTypeError, ModelError

_WEIGHTS = ("int8", "int4", "float8_e4m3fn", "float4_e2m1fn")
_INPUTS = ("int8", "float8_e4m3fn")
_MEASURED = {"float8_e4m3fn": 32, "float4_e2m1fn": NVFP4_BLOCK}
"""Inputs with scales that TensorRT measures, of blocks of so many columns: MXFP8, NVFP4."""


def _check(name: str, what: str, known: tuple[str, ...]) -> None:
    try:
        if dtypes.get(name).name in known:
            return
    except DTypeError:
        pass
    raise ModelError(f"quantization: {what} is one of {', '.join(known)}; found {name!r}")


def _check_scale(what: str, scale: Any) -> None:
    """Raises ModelError for a scale that is no normal number of float32 above 0; None is one that is not given."""
    if scale is None:
        return
    is_number = isinstance(scale, Real) and not isinstance(scale, bool)
    if not (is_number and np.finfo(np.float32).smallest_normal <= scale <= np.finfo(np.float32).max):
        raise ModelError(f"quantization: {what} is above 0, found {scale!r}")


@dataclass(frozen=True)
class WeightScheme:
    """How the float weights of modules are quantized, by the largest magnitude.

    weights: "int8", "int4", "float8_e4m3fn" or "float4_e2m1fn". block: what shares a scale: "channel", "tensor", a
    number of columns, or (rows, columns). powers_of_two: scales of blocks are powers of two (MX formats). inputs: the
    dtype that the inputs of the product are quantized to, "int8" or "float8_e4m3fn"; None leaves them floats.
    input_scale: their scale. input_block: how many columns share a scale that is measured at run time: 32 of float8
    (MXFP8), 16 of float4 (NVFP4), whose scales then have the scale input_scale, by default 1.
    """

    weights: str = "int8"
    block: str | int | tuple[int, int] = "channel"
    powers_of_two: bool = False
    inputs: str | None = None
    input_scale: float | None = None
    input_block: int | None = None

    def __post_init__(self) -> None:
        """Raises ModelError for what is none."""
        _check(self.weights, "weights", _WEIGHTS)
        if self.input_block is not None:
            _check(str(self.inputs), "inputs with input_block", tuple(_MEASURED))
            wanted = _MEASURED[dtypes.get(str(self.inputs)).name]
            if type(self.input_block) is not int or self.input_block != wanted:
                raise ModelError(
                    f"quantization: input_block is {wanted} for inputs in {self.inputs}, found {self.input_block!r}"
                )
        elif self.inputs is not None:
            _check(self.inputs, "inputs", _INPUTS)
        pair = isinstance(self.block, tuple) and len(self.block) == 2
        sizes = self.block if pair else (self.block,)
        named = isinstance(self.block, str) and self.block in ("channel", "tensor")
        if not named and not all(type(n) is int and n > 0 for n in sizes):  # type: ignore[union-attr]
            raise ModelError(
                f'quantization: block is "channel", "tensor", columns or (rows, columns); found {self.block!r}'
            )
        if self.powers_of_two is not False and (self.powers_of_two is not True or not self.dtype.is_floating):
            raise ModelError(
                f"quantization: powers_of_two is for weights in {' and '.join(_WEIGHTS[2:])}; found"
                f" {self.powers_of_two!r} for {self.weights}"
            )
        _check_scale("input_scale", self.input_scale)

    @property
    def dtype(self) -> DType:
        """Of the values."""
        return dtypes.get(self.weights)

    @property
    def needs_scale(self) -> bool:
        """Whether its inputs have a scale that is known before: not those of MXFP8, which are measured."""
        return self.inputs is not None and (not self.input_block or dtypes.get(self.inputs).bits == 4)

    def blocks(self, rank: int) -> tuple[int, ...]:
        """The sizes of blocks of a weight of this rank, as QuantizedTensor has them."""
        if self.block == "tensor":
            return (WHOLE,) * rank
        if self.block == "channel":
            return (1, *(WHOLE,) * (rank - 1))
        sizes = self.block if isinstance(self.block, tuple) else (1, int(self.block))
        return (*(1,) * (rank - 2), *sizes)

    def __str__(self) -> str:
        shared = {"channel": "a scale a channel", "tensor": "one scale"}
        block = self.block if isinstance(self.block, tuple) else (self.block,)
        words = shared.get(str(self.block)) or f"a scale a block of {' x '.join(map(str, block))}"
        measured = f" (measured in blocks of {self.input_block})" if self.input_block else ""
        inputs = f", inputs in {self.inputs}{measured}" if self.inputs else ""
        return f"{self.weights}, {words}{inputs}"


NAMED: Mapping[str, WeightScheme | None] = {
    "none": None,
    "int8": WeightScheme("int8", inputs="int8"),
    "fp8": WeightScheme("float8_e4m3fn", "tensor", inputs="float8_e4m3fn"),
    "fp8_channel": WeightScheme("float8_e4m3fn", inputs="float8_e4m3fn"),
    "fp8_blocks": WeightScheme("float8_e4m3fn", (128, 128)),
    "fp8_weights": WeightScheme("float8_e4m3fn"),
    "mxfp8": WeightScheme("float8_e4m3fn", 32, powers_of_two=True, inputs="float8_e4m3fn", input_block=32),
    "mxfp8_weights": WeightScheme("float8_e4m3fn", 32, powers_of_two=True),
    "int8_weights": WeightScheme("int8"),
    "int4_weights": WeightScheme("int4", 128),
    "nvfp4": WeightScheme("float4_e2m1fn", 16, inputs="float4_e2m1fn", input_block=16),
    "nvfp4_weights": WeightScheme("float4_e2m1fn", 16),
    "mxfp4_weights": WeightScheme("float4_e2m1fn", 32, powers_of_two=True),
}
"""Schemes by name; those of weights alone leave the inputs floats."""


@dataclass(frozen=True)
class AttentionScheme:
    """How both products of attention are quantized: queries @ keys.T, and probabilities @ values.

    dtype: "int8" or "float8_e4m3fn". The scales: of the queries, which have the attention's factor, and so on;
    probability_scale: by default that of probabilities up to 1.
    """

    dtype: str = "int8"
    query_scale: float | None = None
    key_scale: float | None = None
    value_scale: float | None = None
    probability_scale: float | None = None

    def __post_init__(self) -> None:
        """Raises ModelError for what is none."""
        _check(self.dtype, "dtype", _INPUTS)
        for each in fields(self)[1:]:
            _check_scale(each.name, getattr(self, each.name))

    def quantized(self, path: str) -> QuantizedAttention:
        """What the attention of a module is quantized to. Raises ModelError for one without scales."""
        missing = [each.name for each in fields(self)[1:4] if getattr(self, each.name) is None]
        if missing:
            raise ModelError(
                f"quantization: {path or 'the model'} quantizes its attention to {self.dtype}, and there is no"
                f" {missing[0]}: trtnet quantize --attention finds the scales, or give them"
            )
        dtype = dtypes.get(self.dtype)
        probability = self.probability_scale or 1 / LARGEST[dtype.name]
        assert self.query_scale and self.key_scale and self.value_scale
        return QuantizedAttention(dtype, self.query_scale, self.key_scale, probability, self.value_scale)


ATTENTION: Mapping[str, AttentionScheme] = {
    "int8_attention": AttentionScheme("int8"),
    "fp8_attention": AttentionScheme("float8_e4m3fn"),
}
"""Schemes of attention's products, by name."""


@dataclass(frozen=True)
class CacheScheme:
    """How a cache of keys or values, [batch, heads, capacity, dim], is held between calls.

    dtype: "int8" or "float8_e4m3fn". scale: one number, or one for each head; by default 1 for float8. output: the name
    of the output that is the next call's cache; by default new_NAME, NAME_next, or as for a trtnet.State.
    """

    dtype: str = "float8_e4m3fn"
    scale: float | tuple[float, ...] | None = None
    output: str = ""

    def __post_init__(self) -> None:
        """Raises ModelError for what is none."""
        _check(self.dtype, "dtype", _INPUTS)
        for scale in self.scale if isinstance(self.scale, tuple) else (self.scale,):
            _check_scale("each scale of a cache", scale)
        if not isinstance(self.output, str):
            raise ModelError(f"quantization: the output of a cache is a name, found {self.output!r}")

    def quantized(self, name: str) -> QuantizedCache:
        """What the cache of an input is quantized to. Raises ModelError for int8 without a scale."""
        if self.scale is None and self.dtype == "int8":
            raise ModelError(
                f"quantization: the cache {name} is in int8, and there is no scale: give the largest magnitude of its"
                f" keys or values / 127, one number or one for each head; or take fp8_cache, whose scale is 1"
            )
        scale = np.array(1.0 if self.scale is None else self.scale, np.float32)
        return QuantizedCache(dtypes.get(self.dtype), scale, self.output)


CACHES: Mapping[str, CacheScheme] = {
    "int8_cache": CacheScheme("int8"),
    "fp8_cache": CacheScheme("float8_e4m3fn"),
}
"""Schemes of caches, by name."""


@dataclass(frozen=True)
class ActivationScheme:
    """How the operands of a sum, a concatenation or a norm after a convolution are quantized.

    dtype: "int8" or "float8_e4m3fn". scale: one number, of all of them.
    """

    dtype: str = "int8"
    scale: float | None = None

    def __post_init__(self) -> None:
        """Raises ModelError for what is none."""
        _check(self.dtype, "dtype", _INPUTS)
        _check_scale("scale", self.scale)

    def quantized(self, name: str) -> QuantizedActivation:
        """What the operands of an operation are quantized to. Raises ModelError without a scale."""
        if self.scale is None:
            raise ModelError(
                f"quantization: {name} quantizes its operands to {self.dtype}, and there is no scale: trtnet quantize"
                f" --placement finds it, or give it"
            )
        return QuantizedActivation(dtypes.get(self.dtype), self.scale)


ACTIVATIONS: Mapping[str, ActivationScheme] = {
    "int8_activation": ActivationScheme("int8"),
    "fp8_activation": ActivationScheme("float8_e4m3fn"),
}
"""Schemes of the operands of sums, concatenations and norms, by name."""

CHECKPOINT = "checkpoint"
"""The name of the scheme of what the checkpoint holds quantized."""


@dataclass(frozen=True)
class CheckpointScheme:
    """What the checkpoint holds quantized is kept as it is: weights, attention's products, activations, caches."""


AnyScheme = WeightScheme | AttentionScheme | ActivationScheme | CacheScheme | CheckpointScheme
"""What a pattern of module paths, of names of operations, or of names of inputs that are caches, may have."""


def schemes_of(pattern: str, said: Any) -> tuple[AnyScheme | None, ...]:
    """What a mapping says for a pattern: a scheme, or several in a list. Raises as scheme_of."""
    return tuple(scheme_of(pattern, each) for each in said) if isinstance(said, list) else (scheme_of(pattern, said),)


def scheme_of(pattern: str, said: Any) -> AnyScheme | None:
    """What a mapping says for a pattern: a name, a table of fields, or a scheme. Raises ModelError for others."""
    everything: Mapping[str, AnyScheme | None] = {
        **NAMED, **ATTENTION, **ACTIVATIONS, **CACHES, CHECKPOINT: CheckpointScheme(),
    }  # fmt: skip
    if isinstance(said, AnyScheme) or said is None:
        return said
    if isinstance(said, str) and said in everything:
        return everything[said]
    if not isinstance(said, Mapping):
        raise ModelError(
            f"quantization: {pattern!r} has {said!r}; it is one of {', '.join(everything)}, or a table of fields"
        )
    named = everything.get(str(said.get("scheme"))) if "scheme" in said else None
    kind = WeightScheme if named is None else type(named)
    known = [each.name for each in fields(kind)]
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in said.items() if key != "scheme"}
    if unknown := [key for key in given if key not in known]:
        raise ModelError(f"quantization: {pattern!r} has {unknown[0]!r}; a scheme has {', '.join(['scheme', *known])}")
    if "scheme" in said and named is None:
        raise ModelError(
            f"quantization: {pattern!r}: there is no scheme {said['scheme']!r}; the schemes are {', '.join(everything)}"
        )
    base = {each: getattr(named, each) for each in known} if named else {}
    return kind(**(base | given))
