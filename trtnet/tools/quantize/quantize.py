"""``trtnet.quantize``: a float checkpoint to a quantized one, its input scales calibrated on the reference."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from trtnet.checkpoint import IGNORED, Source
from trtnet.checkpoint.base import Array
from trtnet.checkpoint.nearest import nearest
from trtnet.checkpoint.quantized.rounding import best
from trtnet.definition import DefinedNetwork, define
from trtnet.definition.inputs import Declared
from trtnet.definition.models import Model
from trtnet.definition.quantization import NAMED, Watch, WeightScheme
from trtnet.support import dtypes
from trtnet.support.errors import ModelError
from trtnet.tools.quantize.data import Batches, Data
from trtnet.tools.quantize.observing import observe
from trtnet.tools.quantize.placement import Placement, Search
from trtnet.tools.quantize.ranges import METHODS, Histogram, scale_of
from trtnet.tools.quantize.writing import Written, write

SCHEMES = ("int8", "fp8", "fp8_channel", "int8_weights", "fp8_weights", "int4_weights")
"""Those of trtnet.Quantize that the format holds."""


@dataclass(frozen=True)
class Row:
    """One weight. error: of the weight, relative L2. largest: magnitude that was seen of the inputs; scale: of them.

    alone: the error of the model's outputs with this weight alone quantized; None where it was not tried.
    """

    key: str
    scheme: str
    error: float
    largest: float
    scale: float
    alone: float | None = None


@dataclass(frozen=True)
class QuantizedCheckpoint:
    """What was written. path: the checkpoint. rows: the quantized weights. floats: the keys of the others of them.

    error: of the model's outputs on the first call, relative L2, where a tolerance was given.
    """

    path: Path
    rows: tuple[Row, ...]
    floats: tuple[str, ...]
    error: float | None = None


def quantize(
    model: Model,
    data: Data | None,
    out: str | os.PathLike[str],
    inputs: Mapping[str, Declared] | None = None,
    weights: Source | None = None,
    *,
    scheme: str = "int8",
    method: str = "mse",
    skip: Sequence[str] = (),
    tolerance: float | None = None,
    batch: int = 32,
    ignored: Sequence[str] = IGNORED,
    tell: Callable[[], None] = lambda: None,
) -> QuantizedCheckpoint:
    """Quantizes the weights of a model's products and convolutions, and calibrates the scales of their inputs.

    model, inputs, weights, ignored: as define takes them; floats are float32. data: arrays of samples by input, each
    [samples, ...] of the input's dtype, an .npz of them, or a folder of .npz files, read one at a time; None for
    schemes of weights alone. out: a .safetensors file in the compressed-tensors format, with its config.json beside it;
    ``define(model, weights=out, quantization="checkpoint")`` takes it. scheme: "int8", "fp8", "fp8_channel",
    "int8_weights", "fp8_weights" or "int4_weights". method: how the range of inputs is found: "max", "percentile"
    (99.99 %), "mse" or "entropy"; that of weights has the least squared error. skip: patterns of module paths that
    stay floats. tolerance: of the outputs on the first call, relative L2: each module is tried alone, and the most
    sensitive ones stay floats until the outputs are within it. batch: samples in a call. tell: is told of each call
    and trial that is done.
    Returns what was written, with the error of each weight.
    Raises ModelError for a scheme, method or pattern that is unknown, InputError for data that does not fit,
    CheckpointError if `out` cannot be written, and what define raises.
    """
    chosen = _chosen(scheme, method, data, tolerance)
    network = define(model, inputs, weights, ignored=ignored, quantization=Watch())
    calls = Batches({} if data is None else data, network.reference().inputs, batch)
    seen = observe(network, [] if data is None else calls, tell)
    fitting = {key: path for key in seen if (path := _module(key)) is not None and _fits(network, key, chosen)}
    schemes = {key: _calibrated(chosen, seen[key], method) for key in _kept(fitting, skip)}
    placement = None
    if tolerance is not None:

        def defined(said: Mapping[str, Any]) -> DefinedNetwork:
            return define(model, inputs, weights, ignored=ignored, quantization=said)

        by_module = {fitting[key]: each for key, each in schemes.items()}
        placement = Search(defined, by_module, next(iter(calls)), tell).search(tolerance)
        schemes = {key: each for key, each in schemes.items() if fitting[key] in placement.modules}
    return _written(Path(out), network, schemes, seen, placement)


def _written(
    path: Path,
    network: DefinedNetwork,
    schemes: Mapping[str, WeightScheme],
    seen: Mapping[str, Histogram],
    placement: Placement | None,
) -> QuantizedCheckpoint:
    """Quantizes the weights and writes them. schemes, seen: by key."""
    written, rows = {}, []
    for key, scheme in schemes.items():
        array = network.checkpoint[key].astype(np.float32)
        form = best(array, scheme.dtype, scheme.blocks(array.ndim))
        kind = None if scheme.inputs is None else dtypes.get(scheme.inputs)
        module, scale = str(_module(key)), scheme.input_scale or 1.0
        written[key] = Written(module, form, kind, scale)
        alone = None if placement is None else placement.alone[module]
        rows.append(Row(key, str(scheme), _error(form.dequantize("float32"), array), seen[key].largest, scale, alone))
    write(path, network.checkpoint, network.keys, written)
    floats = tuple(key for key in network.keys if key not in written and len(network.checkpoint.info(key).shape) > 1)
    return QuantizedCheckpoint(path, tuple(rows), floats, None if placement is None else placement.error)


def _calibrated(scheme: WeightScheme, seen: Histogram, method: str) -> WeightScheme:
    """The scheme with the scale of the inputs that were seen."""
    if scheme.inputs is None:
        return scheme
    return replace(scheme, input_scale=scale_of(seen, dtypes.get(scheme.inputs), method))


def _chosen(scheme: str, method: str, data: Data | None, tolerance: float | None) -> WeightScheme:
    found = NAMED.get(scheme) if scheme in SCHEMES else None
    if found is None:
        raise ModelError(f"there is no scheme {scheme!r} to calibrate; there are {', '.join(SCHEMES)}")
    if method not in METHODS:
        raise ModelError(f"there is no method {method!r}; there are {', '.join(METHODS)}")
    if data is None and found.inputs is not None:
        raise ModelError(f"{scheme} quantizes inputs, whose scales are calibrated: give data, or a scheme of weights")
    if tolerance is not None and (data is None or not tolerance > 0):
        raise ModelError(f"the tolerance is above 0, of outputs for data that is given; found {tolerance:g}")
    return found


def _module(key: str) -> str | None:
    """The module of a weight, which the format knows by the name ``weight``; None for others."""
    module, _, name = key.rpartition(".")
    return module if name == "weight" else None


def _fits(network: DefinedNetwork, key: str, chosen: WeightScheme) -> bool:
    """Whether the weight can be quantized so: blocks divide the columns of a matrix."""
    shape = network.checkpoint.info(key).shape
    return isinstance(chosen.block, str) or (len(shape) == 2 and shape[1] % int(chosen.block) == 0)  # type: ignore[arg-type]


def _kept(fitting: Mapping[str, str], skip: Sequence[str]) -> list[str]:
    """The keys that no pattern skips. Raises ModelError for a pattern that skips nothing, and where nothing is left."""
    for pattern in skip:
        if not any(fnmatchcase(path, pattern) for path in fitting.values()):
            near = ", ".join(nearest(pattern, list(fitting.values()))) or "(none)"
            raise ModelError(f"skip: {pattern!r} matches no module that is quantized; the nearest are {near}")
    kept = [key for key, path in fitting.items() if not any(fnmatchcase(path, pattern) for pattern in skip)]
    if not kept:
        raise ModelError("the model has no weight that this scheme quantizes")
    return kept


def _error(found: Array, wanted: Array) -> float:
    return float(np.linalg.norm(found - wanted) / max(float(np.linalg.norm(wanted)), 1e-30))
