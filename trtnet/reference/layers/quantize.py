"""Quantization with given scales: per tensor, per slice of an axis, or per block."""

from __future__ import annotations

import numpy as np
import torch

from trtnet.reference.step import LayerFunction, Step, describe
from trtnet.support import dtypes
from trtnet.support.errors import ExecutionError

_RANGES = {"int8": (-128, 127), "uint8": (0, 255), "int4": (-8, 7)}


def quantize(step: Step) -> list[torch.Tensor]:
    """``round(x / scale)``, halves to even, kept within the type's range."""
    return [to_range(step, step.x / _spread(step, step.input(1)), step.output_dtype.name, _zero_point(step))]


def to_range(step: Step, ratio: torch.Tensor, name: str, zero: torch.Tensor | None = None) -> torch.Tensor:
    """The nearest values of a dtype, of its name, halves to even; integers plus a zero point."""
    if name in _RANGES:
        moved = ratio.round() if zero is None else ratio.round() + zero
        return moved.clamp(*_RANGES[name]).to(torch.int16)
    if name == "float8_e4m3fn":
        return ratio.clamp(-448, 448).to(torch.float8_e4m3fn).float()
    raise ExecutionError(f"{describe(step.layer)}: the reference does not execute quantization to {name}")


def dequantize(step: Step) -> list[torch.Tensor]:
    """``(x - zero point) * scale``."""
    return [(step.x.float() - _zero_point(step)) * _spread(step, step.input(1))]


def dynamic_quantize(step: Step) -> list[torch.Tensor]:
    """(values, scales) with the scale of each block measured.

    float8: the smallest power of two at least max / 448 (MXFP8). float4: max / 6 over the second input, in float8, at
    least its smallest number (NVFP4).
    """
    x, block, name = step.x, _block(step), step.output_dtype.name
    grouped = x.reshape([part for size, n in zip(x.shape, block, strict=True) for part in (size // n, n)])
    largest = grouped.abs().amax([2 * axis + 1 for axis in range(x.ndim)]).float()
    if name == "float8_e4m3fn":
        scales = torch.exp2(torch.ceil(torch.log2(largest.clamp(min=2.0**-118) / 448)))
        return [(x / _repeated(scales, block)).clamp(-448, 448).to(torch.float8_e4m3fn).float(), scales]
    outer = step.optional(1)
    if name != "float4_e2m1fn" or outer is None:
        raise ExecutionError(f"{describe(step.layer)}: the reference does not execute dynamic quantization to {name}")
    scales = (largest / (6 * outer.float())).clamp(2.0**-9, 448).to(torch.float8_e4m3fn).float()
    return [_to_float4(x.float() / (_repeated(scales, block) * outer.float())), scales]


def _repeated(scales: torch.Tensor, block: list[int]) -> torch.Tensor:
    """The scale of each element."""
    for axis, n in enumerate(block):
        scales = scales.repeat_interleave(n, axis)
    return scales


def _to_float4(x: torch.Tensor) -> torch.Tensor:
    """The nearest float4_e2m1fn, halves to even."""
    nearest = x.clamp(-6, 6).numpy().astype(dtypes.float4_e2m1fn.numpy)
    return torch.from_numpy(nearest.astype(np.float32))


def _block(step: Step) -> list[int]:
    """The size of a block along each axis."""
    scales = step.layer.get_output(1).shape
    if min(*scales, *step.layer.get_input(0).shape) >= 0:
        return [size // n for size, n in zip(step.x.shape, scales, strict=True)]
    layer = step.layer
    return _said(step) or [layer.block_size if axis == layer.axis % step.x.ndim else 1 for axis in range(step.x.ndim)]


def _said(step: Step) -> list[int]:
    """The sizes of blocks that the layer says; none where its scales tell them."""
    try:
        shape = getattr(step.layer, "block_shape", None)
    except RuntimeError:  # TensorRT's way to say that it is not set
        return []
    return [] if shape is None or len(shape) != step.x.ndim else list(shape)


def _zero_point(step: Step) -> torch.Tensor:
    """The optional third input, which TensorRT builds only where it is 0."""
    zero = step.optional(2)
    return torch.zeros(()) if zero is None else _spread(step, zero.float())


def _spread(step: Step, scale: torch.Tensor) -> torch.Tensor:
    """The scale in a shape that broadcasts to the input."""
    x = step.x
    if scale.numel() == 1:
        return scale.reshape(())
    if scale.ndim == x.ndim:
        said = _said(step)
        for axis, (size, count) in enumerate(zip(x.shape, scale.shape, strict=True)):
            block = said[axis] if said and count > 1 else size // count
            scale = scale.repeat_interleave(block, dim=axis).narrow(axis, 0, size)  # the last block may be shorter
        return scale
    return scale.reshape([-1 if i == step.layer.axis else 1 for i in range(x.ndim)])


LAYERS: dict[str, LayerFunction] = {
    "DEQUANTIZE": dequantize,
    "DYNAMIC_QUANTIZE": dynamic_quantize,
    "QUANTIZE": quantize,
}
