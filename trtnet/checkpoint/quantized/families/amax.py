"""Float weights beside the ranges they were trained or calibrated with: the quantizers of three libraries.

pytorch-quantization: ``_weight_quantizer._amax``, ``_input_quantizer._amax``, the largest magnitude, one or one a
channel; the scale is amax / 127. ModelOpt's state dicts: ``weight_quantizer._amax``, whose type (int8 or float8) they
do not say. torch.ao's QAT modules: ``weight_fake_quant.scale`` and ``.zero_point``.
Source: pytorch-quantization, tensor_quant.py; Model-Optimizer, torch/quantization/nn/modules/tensor_quantizer.py;
torch.ao.quantization.fake_quantize.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from trtnet.checkpoint.base import Array, Checkpoint
from trtnet.checkpoint.quantized.configuration import Configuration
from trtnet.checkpoint.quantized.parts import Parts, modules
from trtnet.checkpoint.quantized.rounding import LARGEST, rounded
from trtnet.checkpoint.quantized.scheme import Scheme, blocks_of
from trtnet.checkpoint.quantized.tensor import QuantizedTensor
from trtnet.checkpoint.quantized.weight import QuantizedWeight
from trtnet.support import dtypes
from trtnet.support.dtypes import DType
from trtnet.support.errors import CheckpointError
from trtnet.support.text.counted import counted

NAME = "quantizers"
METHODS = ("amax",)
_TORCH = "weight_fake_quant.scale"
_AMAX = {"_weight_quantizer._amax": "_input_quantizer._amax", "weight_quantizer._amax": "input_quantizer._amax"}
"""The range of a weight -> that of its inputs."""
_FACTOR = {
    "_weight_quantizer._amax": "_input_quantizer._pre_quant_scale",
    "weight_quantizer._amax": "input_quantizer._pre_quant_scale",
}
"""The same -> what the inputs are multiplied by before they are quantized (SmoothQuant, AWQ)."""
QUANTIZERS = ("_quantizer", "_fake_quant", "activation_post_process")
"""How the names of modules end that keep ranges."""


RESULTS = ("activation_post_process.scale", "output_quantizer._amax")
"""How the keys of ranges end that are of what a module gives."""


def fits(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint has such weights."""
    return any(key.endswith((*_AMAX, _TORCH)) for key in checkpoint)


def weights(checkpoint: Checkpoint, config: Configuration) -> Iterator[QuantizedWeight]:
    """Its quantized weights. Raises CheckpointError for ranges that do not fit, and where their type is not known."""
    kept = _kept(checkpoint)
    for name, inputs in _AMAX.items():
        for parts in modules(checkpoint, name):
            yield _ranged(parts, name, inputs, _type(name, config), kept[parts.stem])
    for parts in modules(checkpoint, _TORCH):
        yield _fake_quantized(parts, kept[parts.stem])


def _type(name: str, config: Configuration) -> DType:
    said = config.document.get("dtype")
    if said is None and name.startswith("_"):
        return dtypes.int8
    if said not in ("int8", "float8_e4m3fn"):
        raise CheckpointError(
            f"a checkpoint with {name}: ModelOpt does not say in it whether that is the range of int8 or of float8."
            f' Say so: {{"quant_method": "amax", "dtype": "int8"}}'
        )
    return dtypes.get(said)


def _ranged(parts: Parts, name: str, inputs: str, kind: DType, kept: list[str]) -> QuantizedWeight:
    spec, largest = parts.check("weight"), LARGEST[kind.name]
    if len(spec.shape) < 2:
        raise parts.wrong(f"weight has rows and columns, found {list(spec.shape)}")
    shape = _ranked(parts.spec(name).shape, len(spec.shape))
    blocks = blocks_of(f"{parts.stem}weight", spec.shape, shape)

    def read() -> QuantizedTensor:
        weight, amax = _finite(parts), parts.read(name).astype(np.float32).reshape(shape)
        if not (amax >= 0).all():
            raise parts.wrong(f"{name} is a range of 0 or more, found {amax[~(amax >= 0)][0]}. Calibrate again")
        scale = np.where(amax > 0, amax, np.float32(1)) / np.float32(largest)
        form = QuantizedTensor(np.empty(0), scale, blocks, spec.dtype, input_factor=parts.optional(_FACTOR[name]))
        form = replace(form, values=weight)
        form = replace(form, values=rounded(weight / form.spread(scale), kind))
        if np.any(form.values.astype(np.float32) * form.spread(amax == 0)):
            raise parts.wrong(f"{name} has a range of 0 for weights that are not 0. Calibrate again")
        return form

    scheme = Scheme(kind, 8, blocks, activations=kind.name if inputs in parts else "")
    scale = (lambda: parts.number(inputs) / largest) if inputs in parts else None
    return QuantizedWeight(
        f"{parts.stem}weight", spec.shape, scheme, spec.dtype, (f"{parts.stem}weight", *kept), read, scale
    )


def _fake_quantized(parts: Parts, kept: list[str]) -> QuantizedWeight:
    spec = parts.check("weight")
    shape = _ranked(parts.spec(_TORCH).shape, len(spec.shape))
    blocks = blocks_of(f"{parts.stem}weight", spec.shape, shape)

    def read() -> QuantizedTensor:
        weight, scale = _finite(parts), parts.read(_TORCH).astype(np.float32).reshape(shape)
        if np.any(parts.read("weight_fake_quant.zero_point")):
            raise parts.wrong("zero points of weights are 0: quantize them symmetrically")
        if (scale <= 0).any():
            raise parts.wrong(f"{_TORCH} is above 0, found {scale.min()}. Train or calibrate again")
        return QuantizedTensor(rounded(weight * (np.float32(1) / scale), dtypes.int8), scale, blocks, spec.dtype)

    return QuantizedWeight(
        f"{parts.stem}weight",
        spec.shape,
        Scheme(dtypes.int8, 8, blocks),
        spec.dtype,
        (f"{parts.stem}weight", *kept),
        read,
    )


def _finite(parts: Parts) -> Array:
    """The weight in float32. Raises CheckpointError for NaN and infinities."""
    weight = parts.read("weight").astype(np.float32)
    if not np.isfinite(weight).all():
        raise parts.wrong(f"weight has {counted(np.count_nonzero(~np.isfinite(weight)), 'NaN or infinite value')}")
    return weight


def _ranked(scale: tuple[int, ...], rank: int) -> tuple[int, ...]:
    """The shape of ranges with the weight's rank: one number, one a channel, or of that rank already."""
    if len(scale) == rank:
        return scale
    return (*scale, *(1,) * (rank - len(scale)))


def _kept(checkpoint: Checkpoint) -> dict[str, list[str]]:
    """What the quantizers of each module keep, by the stem of the module's keys."""
    found: dict[str, list[str]] = defaultdict(list)
    for key in checkpoint:
        names = key.split(".")
        at = next((index for index, name in enumerate(names[:-1]) if name.endswith(QUANTIZERS)), None)
        if at is not None:
            found["".join(f"{name}." for name in names[:at])].append(key)
    return found
