"""Quantization with given scales: per tensor, per slice of an axis, or per block."""

from __future__ import annotations

import torch

from trtnet.errors import ReferenceError
from trtnet.reference.step import Step, describe

_RANGES = {"int8": (-128, 127), "int4": (-8, 7)}


def quantize(step: Step) -> list[torch.Tensor]:
    """``round(x / scale)``, halves to even, kept within the type's range."""
    name = step.output_dtype.name
    ratio = step.x / _spread(step)
    if name in _RANGES:
        return [ratio.round().clamp(*_RANGES[name]).to(torch.int8)]
    if name == "float8_e4m3fn":
        return [ratio.clamp(-448, 448).to(torch.float8_e4m3fn).float()]
    raise ReferenceError(f"{describe(step.layer)}: quantization to {name}")


def dequantize(step: Step) -> list[torch.Tensor]:
    """``x * scale``."""
    return [step.x.float() * _spread(step)]


def _spread(step: Step) -> torch.Tensor:
    """The scale in a shape that broadcasts to the input."""
    x, scale = step.x, step.input(1)
    zero = step.optional(2)
    if zero is not None and bool((zero != 0).any()):
        raise ReferenceError(f"{describe(step.layer)}: zero points other than 0")
    if scale.numel() == 1:
        return scale.reshape(())
    if scale.ndim == x.ndim:
        for axis, (size, count) in enumerate(zip(x.shape, scale.shape, strict=True)):
            scale = scale.repeat_interleave(size // count, dim=axis)
        return scale
    return scale.reshape([-1 if i == step.layer.axis else 1 for i in range(x.ndim)])
