"""What every quantized weight has to be when it is read, and what no checkpoint has left over."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from trtnet.checkpoint.base import Array, Checkpoint
from trtnet.checkpoint.quantized.tensor import QuantizedTensor
from trtnet.checkpoint.quantized.weight import QuantizedWeight
from trtnet.support import dtypes
from trtnet.support.errors import CheckpointError
from trtnet.support.text.counted import counted

_PARTS = (
    "weight_scale", "weight_scale_2", "weight_scale_inv", "weight_packed", "weight_shape", "weight_global_scale",
    "weight_zero_point", "weight_g_idx", "qweight", "qzeros", "g_idx", "pre_quant_scale",
)  # fmt: skip
"""Names of parts of quantized weights that no weight of floats has."""


_SCALES = ("_scale", "_weight_scale", "_scale_inv", ".absmax")
_MOST = 512.0
"""The magnitude that no value less its zero point has, but for those of float8_e5m2."""
_NARROW = (dtypes.float8_e4m3fn, dtypes.float8_e5m2, dtypes.int8, dtypes.uint8)


def is_of_floats(checkpoint: Checkpoint) -> bool:
    """Whether nothing in it looks like a part of a quantized weight."""
    names = (key.rpartition(".")[2] for key in checkpoint)
    return not any(name in _PARTS for name in names) and all(
        checkpoint.listed(key).readable and checkpoint.info(key).dtype not in _NARROW for key in checkpoint
    )


def check_complete(checkpoint: Checkpoint, weights: Iterable[QuantizedWeight], kind: str) -> None:
    """Raises CheckpointError for a part of a quantized weight that none of the weights has, and for values without one.

    kind: of the format, for messages.
    """
    taken = {part for weight in weights for part in weight.parts}
    for key in checkpoint:
        stem, _, name = key.rpartition(".")
        if name in _PARTS and key not in taken:
            beside = [other for other in checkpoint if other.rpartition(".")[0] == stem and other != key]
            found = ", ".join(f"{other} {checkpoint.listed(other).dtype}" for other in beside) or "nothing"
            raise CheckpointError(
                f"{checkpoint.name}: {key} is a part of a quantized weight, and {kind} makes none of what is beside it:"
                f" {found}. Is a shard missing, or is the configuration that of another checkpoint?"
            )
        if key not in taken and _is_narrow(checkpoint, key):
            raise CheckpointError(
                f"{checkpoint.name}: {key} is {checkpoint.info(key).dtype}, and has no scale that {kind} knows. Is a"
                f" shard missing? trtnet reads products and convolutions with a weight_scale of their own"
            )


def _is_narrow(checkpoint: Checkpoint, key: str) -> bool:
    """Whether a tensor has the values of a quantized weight: masks and tables in bytes are none."""
    if checkpoint.block_type(key) or checkpoint.listed(key).dtype not in [str(dtype) for dtype in _NARROW]:
        return False
    spec = checkpoint.info(key)
    named = key.rpartition(".")[2] == "weight" or any(f"{key}{end}" in checkpoint for end in _SCALES)
    return len(spec.shape) > 1 and named


def checked(checkpoint: Checkpoint, weight: QuantizedWeight) -> QuantizedWeight:
    """The weight, whose values and scales are finite when they are read, and whose inputs have a scale above 0."""

    def read() -> QuantizedTensor:
        found, where = weight.read(), f"{checkpoint.name}: {weight.key}"
        _check_finite(where, found)
        _check_range(where, found)
        return found

    scale = weight.input_scale
    above = None if scale is None else lambda: _above_0(f"{checkpoint.name}: {weight.key}", scale)
    return replace(weight, read=read, input_scale=above)


def _above_0(where: str, read: Callable[[], float]) -> float:
    scale = read()
    if not (math.isfinite(scale) and scale >= np.finfo(np.float32).smallest_normal):
        raise CheckpointError(
            f"{where}: the scale of its inputs is a number above 0, found {scale}. Export the checkpoint again"
        )
    return scale


def _check_finite(where: str, found: QuantizedTensor) -> None:
    with np.errstate(all="ignore"):
        arrays = {
            "scales": found.scales(), "offsets": found.offset, "factors of inputs": found.input_factor,
        }  # fmt: skip
    for name, array in arrays.items():
        if array is not None and not (finite := np.isfinite(array.astype(np.float32))).all():
            raise CheckpointError(
                f"{where}: {np.count_nonzero(~finite):,} of its {array.size:,} {name} are NaN or infinite. Export the"
                f" checkpoint again"
            )
    if found.outer_scale is not None and not np.isfinite(found.outer_scale.astype(np.float32)).all():
        raise CheckpointError(f"{where}: the scale of its scales is NaN or infinite. Export the checkpoint again")
    if not np.any(found.scales()) and np.any(found.values.astype(np.float32)):
        raise CheckpointError(f"{where}: all of its scales are 0, and not its values. Export the checkpoint again")
    if count := _nans(found.values):
        raise CheckpointError(f"{where}: {count:,} of its values are NaN. Export the checkpoint again")


def _check_range(where: str, found: QuantizedTensor) -> None:
    """Raises CheckpointError for a scale that is so large that the weight is infinite in its dtype."""
    largest = dtypes.float8_e5m2.max if found.values.dtype == dtypes.float8_e5m2.numpy else _MOST
    most = _largest(found.scales()) * largest
    most += 0.0 if found.offset is None else _largest(found.offset)
    most *= 1.0 if found.input_factor is None else _largest(found.input_factor)
    if most <= found.dtype.max:
        return
    with np.errstate(over="ignore", invalid="ignore"):
        finite = np.isfinite(found.dequantize().astype(np.float32))
    if not finite.all():
        raise CheckpointError(
            f"{where}: {counted(np.count_nonzero(~finite), 'value')} of the weight would be infinite in {found.dtype},"
            f" its largest scale is {_largest(found.scales()):g}. Export the checkpoint again"
        )


def _largest(array: Array) -> float:
    return float(np.abs(array.astype(np.float32)).max(initial=0))


def _nans(values: Array) -> int:
    """How many there are: of the types of weights, only float8 have them."""
    if values.dtype == dtypes.float8_e4m3fn.numpy:
        return int(np.count_nonzero((values.view(np.uint8) & 0x7F) == 0x7F))
    return int(np.count_nonzero(np.isnan(values))) if values.dtype == dtypes.float8_e5m2.numpy else 0
