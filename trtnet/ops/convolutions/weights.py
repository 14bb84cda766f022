"""The kernel and the bias of a convolution, as TensorRT takes them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from trtnet.graph import Parameter, Tensor, Weight
from trtnet.graph.memory.pending import Placeholders
from trtnet.graph.memory.weight import empty
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.window_arguments import lift
from trtnet.ops.convolutions.rearrangement import Rearrangement
from trtnet.support.arrays import values
from trtnet.support.text.counted import counted

Kernel = Operand
"""Weights of the checkpoint, an array, or a tensor of the network."""


@dataclass(frozen=True)
class ConvolutionWeights:
    """A kernel and a bias as TensorRT takes them: weights that it reads when it builds, or inputs 1 and 2 of the layer.

    shape: the kernel's, of ints. kernel, bias: as errors show them.
    """

    x: Tensor
    shape: tuple[int, ...]
    kernel: Tensor | Weight
    bias: Tensor | Weight | None

    @classmethod
    def of(cls, x: Tensor, weight: Kernel, bias: Kernel | None, name: str, rank: int) -> ConvolutionWeights:
        """Raises LayerError for what fits no layer of this many axes."""
        kernel, offset = (_prepared(x, w) for w in (weight, bias))
        assert kernel is not None
        operands = {"x": x, "weight": kernel} | ({} if offset is None else {"bias": offset})
        wanted = counted(rank + 2, "dimension")
        if x.ndim not in (rank + 1, rank + 2):
            x.network.fail(f"{name} takes an input of {wanted}, found {x.ndim}", operands)
        if len(kernel.shape) != rank + 2:
            x.network.fail(f"{name} takes a kernel of {wanted}, found {len(kernel.shape)}", operands)
        if not x.dtype.is_floating:
            x.network.fail(f"{name} takes floating inputs, found {x.dtype}; x.float() makes them so", operands)
        sizes = tuple(n for n in kernel.shape if isinstance(n, int))
        if len(sizes) != rank + 2:
            x.network.fail(f"{name} needs the sizes of its kernel", operands)
        if offset is not None and len(offset.shape) != 1:
            x.network.fail(f"{name} takes a bias [out_channels], found {list(offset.shape)}", operands)
        return cls(x, sizes, kernel, offset)

    def moved(self, rearranged: Rearrangement) -> ConvolutionWeights:
        """With the kernel of another convolution, which has no name: refit does not know how it came about."""
        kernel = self.kernel
        assert isinstance(kernel, Weight)
        if kernel.key:
            self.x.network.folded.add(kernel.key)
        shape = (self.shape[0], int(rearranged.image.shape[1]) // rearranged.groups, *rearranged.window)
        moved = Weight(lambda: rearranged.kernel(kernel.array), like=(shape, kernel.dtype))
        return replace(self, shape=shape, kernel=moved)

    @property
    def constant(self) -> bool:
        """Whether neither is a tensor of the network."""
        return not isinstance(self.kernel, Tensor) and not isinstance(self.bias, Tensor)

    @property
    def window(self) -> tuple[int, ...]:
        return self.shape[2:]

    @property
    def weights(self) -> dict[str, Weight]:
        """Those that TensorRT reads when it builds."""
        given = {"kernel": self.kernel, "bias": self.bias}
        return {name: w for name, w in given.items() if isinstance(w, Weight)}

    def arguments(self, placeholders: Placeholders | None = None) -> dict[str, Any]:
        """Arguments of the layer's method; empty ones for what is an input."""
        none = empty(self.x.dtype)
        return {"kernel": none, "bias": none} | (placeholders.handles if placeholders else self.weights)

    @property
    def inputs(self) -> dict[int, Tensor]:
        """Further inputs of the layer; a kernel of one axis has a height of 1."""
        kernel = {1: lift(self.kernel, len(self.window))[0]} if isinstance(self.kernel, Tensor) else {}
        return kernel | ({2: self.bias} if isinstance(self.bias, Tensor) else {})


def _prepared(x: Tensor, weight: Kernel | None) -> Tensor | Weight | None:
    if weight is None or isinstance(weight, Tensor):
        return weight
    if isinstance(weight, Parameter):
        return x.network.weight(weight)
    array = values(weight)
    return x.network.weight(array.astype(x.dtype.numpy) if array.dtype == np.float64 else array)


def mismatch(x: Tensor, given: ConvolutionWeights, channels: int, name: str) -> str:
    """What to say first if TensorRT refuses the layer."""
    if x.dtype != given.kernel.dtype:
        return f"{name} got an input of {x.dtype}, its kernel is {given.kernel.dtype}"
    if given.bias is not None and x.dtype != given.bias.dtype:
        return f"{name} got an input of {x.dtype}, its bias is {given.bias.dtype}"
    if x.shape[1] != channels:
        return f"{name} got an input with {counted(x.shape[1], 'channel')}, but its kernel has {channels}"
    return ""
