"""Rules that change the layout of tensors."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from trtnet.checkpoint.base import Array
from trtnet.checkpoint.rules.lazy_tensors import Tensors
from trtnet.checkpoint.rules.pattern import Pattern
from trtnet.checkpoint.rules.rule import KeyRule, Rule, each
from trtnet.support.arrays import StaticShape
from trtnet.support.errors import CheckpointError
from trtnet.support.text.counted import counted


@dataclass(frozen=True)
class Transpose(KeyRule):
    """The two axes exchanged: GPT-2 stores its linear layers as [in, out]."""

    def apply(self, tensors: Tensors) -> Tensors:
        def turned(shape: StaticShape) -> StaticShape:
            if len(shape) != 2:
                raise CheckpointError(
                    f"has {counted(len(shape), 'dimension')}: transpose takes two, permute takes more"
                )
            return shape[::-1]

        return _mapped(tensors, self.source, turned, lambda x: x.T)

    def inverse(self) -> Rule | None:
        return self


@dataclass(frozen=True)
class Permute(KeyRule):
    """The axes in another order, as torch.permute: dims (3, 2, 0, 1) make OIHW of TensorFlow's HWIO."""

    dims: tuple[int, ...]

    def apply(self, tensors: Tensors) -> Tensors:
        def permuted(shape: StaticShape) -> StaticShape:
            if len(shape) != len(self.dims):
                raise CheckpointError(
                    f"has {counted(len(shape), 'dimension')}: dims {list(self.dims)} are for {len(self.dims)}"
                )
            return tuple(shape[dim] for dim in self.dims)

        return _mapped(tensors, self.source, permuted, lambda x: x.transpose(self.dims))

    def inverse(self) -> Rule | None:
        return Permute(self.source, tuple(self.dims.index(dim) for dim in range(len(self.dims))))


@dataclass(frozen=True)
class Reshape(KeyRule):
    """Another shape; 0 keeps a size, -1 is what is left. back: the shape it had, for the way back."""

    shape: tuple[int, ...]
    back: tuple[int, ...] = ()

    def apply(self, tensors: Tensors) -> Tensors:
        def target(shape: StaticShape) -> StaticShape:
            result = _reshaped(shape, self.shape)
            if self.back and _reshaped(result, self.back) != shape:
                raise CheckpointError(f"{list(shape)} is not what back = {list(self.back)} makes of {list(result)}")
            return result

        return _mapped(tensors, self.source, target, lambda x: x.reshape(_reshaped(x.shape, self.shape)))

    def inverse(self) -> Rule | None:
        return Reshape(self.source, self.back, self.shape) if self.back else None


@dataclass(frozen=True)
class Slice(KeyRule):
    """What begins at `start` along the first axis, from the end if it is negative; the rest is lost."""

    start: int

    def apply(self, tensors: Tensors) -> Tensors:
        def rest(shape: StaticShape) -> StaticShape:
            if not shape or not -shape[0] <= self.start < shape[0]:
                raise CheckpointError(f"{list(shape)} has no row {self.start} to begin at")
            return (shape[0] - self.start % shape[0], *shape[1:])

        return _mapped(tensors, self.source, rest, lambda x: x[self.start :])


@dataclass(frozen=True)
class Rotary(KeyRule):
    """Rows of a projection from the half layout of rotary pairs (i, i + dim / 2) to the interleaved (2i, 2i + 1).

    head_dim: rows a head. interleave: which way.
    """

    head_dim: int
    interleave: bool = True

    def apply(self, tensors: Tensors) -> Tensors:
        def permuted(x: Array) -> Array:
            heads = x.shape[0] // self.head_dim
            pairs = (2, self.head_dim // 2) if self.interleave else (self.head_dim // 2, 2)
            return x.reshape(heads, *pairs, *x.shape[1:]).swapaxes(1, 2).reshape(x.shape)

        def same(shape: StaticShape) -> StaticShape:
            if not shape or self.head_dim < 2 or self.head_dim % 2 or shape[0] % self.head_dim:
                raise CheckpointError(f"{list(shape)} has no heads of {counted(self.head_dim, 'row')}")
            return shape

        return _mapped(tensors, self.source, same, permuted)

    def inverse(self) -> Rule | None:
        return Rotary(self.source, self.head_dim, not self.interleave)


def _reshaped(shape: StaticShape, wanted: StaticShape) -> StaticShape:
    sizes = [shape[i] if s == 0 and i < len(shape) else s for i, s in enumerate(wanted)]
    known = math.prod(s for s in sizes if s != -1)
    count = math.prod(shape)
    result = tuple(count // known if s == -1 else s for s in sizes) if known else ()
    if known == 0 or sizes.count(-1) > 1 or min(sizes, default=1) < -1 or math.prod(result) != count:
        raise CheckpointError(f"{list(shape)} cannot be reshaped to {list(wanted)}")
    return result


def _mapped(
    tensors: Tensors, source: Pattern, shape: Callable[[StaticShape], StaticShape], function: Callable[[Array], Array]
) -> Tensors:
    """The tensors whose key matches, changed; the others as they are. shape: what the function makes of a shape."""
    return {
        key: lazy if match is None else lazy.changed(_fitting(key, lazy.spec.shape, shape), function)
        for key, lazy, match in each(tensors, source)
    }


def _fitting(key: str, shape: StaticShape, function: Callable[[StaticShape], StaticShape]) -> StaticShape:
    try:
        return function(shape)
    except CheckpointError as error:
        raise CheckpointError(f"{key} {error}") from error
