"""``trtnet.quantize``: a float checkpoint to a quantized one, its input scales calibrated on the reference."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from trtnet.checkpoint import IGNORED, Source
from trtnet.checkpoint.nearest import nearest
from trtnet.definition import DefinedNetwork, define
from trtnet.definition.inputs import Declared
from trtnet.definition.models import Model
from trtnet.definition.quantization import NAMED, Watch, WeightScheme
from trtnet.support import dtypes
from trtnet.support.errors import ModelError
from trtnet.tools.quantize.batch_norms import folded
from trtnet.tools.quantize.data import Batches, Data
from trtnet.tools.quantize.observing import Observer, watched
from trtnet.tools.quantize.placement import Placement, Search
from trtnet.tools.quantize.preparing import Options, PreparedModel, prepared
from trtnet.tools.quantize.ranges import METHODS, largest_of
from trtnet.tools.quantize.replaced import Replaced
from trtnet.tools.quantize.result import QuantizedCheckpoint, Row
from trtnet.tools.quantize.smoothing import NONE, Group, Smoothing, groups, smoothed
from trtnet.tools.quantize.writing import Written, write
from trtnet.verify.metrics.layouts import distance

SCHEMES = ("int8", "fp8", "fp8_channel", "int8_weights", "fp8_weights", "int4_weights")
"""Those of trtnet.Quantize that the format holds."""


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
    smooth: float | None = None,
    fold: bool = True,
    correct: bool = True,
    batch: int = 32,
    ignored: Sequence[str] = IGNORED,
    tell: Callable[[str], None] = lambda text: None,
) -> QuantizedCheckpoint:
    """Quantizes the weights of a model's products and convolutions, and calibrates the scales of their inputs.

    model, inputs, weights, ignored: as define takes them; floats are float32. data: arrays of samples by input, each
    [samples, ...] of the input's dtype, an .npz of them, or a folder of .npz files, read one at a time; None for
    schemes of weights alone. out: a .safetensors file in the compressed-tensors format, with its config.json beside it;
    ``define(model, weights=out, quantization="checkpoint")`` takes it. scheme: "int8", "fp8", "fp8_channel",
    "int8_weights", "fp8_weights" or "int4_weights". method: how the range of inputs is found: "max", "percentile"
    (99.99 %), "mse" or "entropy"; that of weights has the least squared error. skip: patterns of module paths that
    stay floats. tolerance: of the outputs on the first call, relative L2: each module is tried alone, and the most
    sensitive ones stay floats until the outputs are within it. smooth: SmoothQuant's alpha, from 0 to 1, for products
    with quantized inputs: outliers go into the weights, and the divisors into the norm before, or, where other layers
    read it too, into factors of the inputs; with such factors the file is in ModelOpt's format. fold: batch norms go
    into the convolutions before them. correct: the mean error of each channel of a product is taken from the bias or
    batch norm behind it. batch: samples in a call. tell: is told what is done.
    Returns what was written, with the error of each weight.
    Raises ModelError for a scheme, method or pattern that is unknown, InputError for data that does not fit,
    CheckpointError if `out` cannot be written, and what define raises.
    """
    chosen = _chosen(scheme, method, data, tolerance, smooth)
    network = define(model, inputs, weights, ignored=ignored, quantization=Watch())
    calls = Batches({} if data is None else data, network.reference().inputs, batch)
    kept = _kept(network, chosen, skip)
    smoothable = groups(network, kept) if smooth is not None else []
    smoothing, seen = _observed(network, smoothable, smooth or 0.0, [] if data is None else calls, tell)
    norms = folded(network.checkpoint, watched(network), kept) if fold else {}
    model_of = prepared(network, kept, seen, norms, smoothing, Options(chosen, method, correct))
    runs = None if data is None else _Runs(model, inputs, model_of, next(iter(calls)), tell)
    placement = None if tolerance is None or runs is None else _placed(runs, kept, tolerance)
    keys = [key for key in kept if placement is None or kept[key] in placement.modules]
    error = placement.error if placement is not None else None if runs is None else runs.error(keys)
    return _written(Path(out), model_of, keys, norms, placement, error)


def _observed(
    network: DefinedNetwork, found: Sequence[Group], alpha: float, calls: Iterable[Any], tell: Callable[[str], None]
) -> tuple[Smoothing, Mapping[str, Any]]:
    """(what smoothing changes, what was seen of the inputs that are quantized)."""
    observer = Observer(network, tell)
    seen = observer.observe(calls)
    if not found:
        return NONE, seen
    smoothing = smoothed(network, found, seen, alpha)
    return smoothing, observer.observe(calls, smoothing.divisors)


class _Runs:
    """The model on one call, with sets of its weights quantized."""

    def __init__(
        self,
        model: Model,
        inputs: Mapping[str, Declared] | None,
        prepared: PreparedModel,
        call: Mapping[str, Any],
        tell: Callable[[str], None],
    ) -> None:
        self._model, self._inputs, self._prepared, self._call, self._tell = model, inputs, prepared, call, tell
        self.floats = self._outputs(
            define(model, inputs, Replaced(prepared.network.checkpoint, prepared.network.keys, {}))
        )
        self._tried = 0

    def outputs(self, keys: Sequence[str]) -> list[np.ndarray[Any, Any]]:
        """With the weights of these keys quantized."""
        self._tried += 1
        self._tell(f"the network with {len(keys)} quantized weights, trial {self._tried}")
        return self._outputs(define(self._model, self._inputs, **self._prepared.definition(keys)))

    def error(self, keys: Sequence[str]) -> float:
        """The largest relative L2 distance of an output from that of the floats."""
        return max(distance(a, b) for a, b in zip(self.outputs(keys), self.floats, strict=True))

    def _outputs(self, network: DefinedNetwork) -> list[np.ndarray[Any, Any]]:
        result = network.reference()(**self._call)
        return [np.asarray(each, np.float32) for each in (result if isinstance(result, tuple) else (result,))]


def _placed(runs: _Runs, kept: Mapping[str, str], tolerance: float) -> Placement:
    by_module = {module: key for key, module in kept.items()}
    return Search(list(by_module), lambda modules: runs.error([by_module[each] for each in modules])).search(tolerance)


def _written(
    path: Path,
    prepared: PreparedModel,
    keys: Sequence[str],
    norms: Mapping[str, Any],
    placement: Placement | None,
    error: float | None,
) -> QuantizedCheckpoint:
    """Writes the quantized weights and the floats beside them. norms: the tensors that batch norms changed."""
    network, written, rows = prepared.network, {}, []
    for key in keys:
        made = prepared.weights[key]
        kind = None if made.scheme.inputs is None else dtypes.get(made.scheme.inputs)
        scale, values = made.scheme.input_scale or 1.0, prepared.seen[key].values
        written[key] = Written(made.module, made.form, kind, scale)
        alone = None if placement is None else placement.alone[made.module]
        rows.append(
            Row(
                key, str(made.scheme), made.error, values.largest, scale, alone, prepared.smoothed(key), key in norms,
                made.mean_error is not None, 0.0 if kind is None else scale * largest_of(kind), values.logarithms(),
            )
        )  # fmt: skip
    write(path, network.checkpoint, network.keys, written, prepared.arrays(keys))
    floats = tuple(key for key in network.keys if key not in written and len(network.checkpoint.info(key).shape) > 1)
    left = [] if placement is None else [m for m in placement.alone if m not in placement.modules]
    sensitive = tuple((module, placement.alone[module]) for module in left) if placement is not None else ()
    return QuantizedCheckpoint(path, tuple(rows), floats, error, sensitive)


def _chosen(scheme: str, method: str, data: Data | None, tolerance: float | None, smooth: float | None) -> WeightScheme:
    found = NAMED.get(scheme) if scheme in SCHEMES else None
    if found is None:
        raise ModelError(f"there is no scheme {scheme!r} to calibrate; there are {', '.join(SCHEMES)}")
    if method not in METHODS:
        raise ModelError(f"there is no method {method!r}; there are {', '.join(METHODS)}")
    if data is None and found.inputs is not None:
        raise ModelError(f"{scheme} quantizes inputs, whose scales are calibrated: give data, or a scheme of weights")
    if tolerance is not None and (data is None or not tolerance > 0):
        raise ModelError(f"the tolerance is above 0, of outputs for data that is given; found {tolerance:g}")
    if smooth is not None and (found.inputs is None or not 0 <= smooth <= 1):
        raise ModelError(f"smooth is from 0 to 1, for a scheme that quantizes inputs; found {smooth:g} for {scheme}")
    return found


def _module(key: str) -> str | None:
    """The module of a weight, which the format knows by the name ``weight``; None for others."""
    module, _, name = key.rpartition(".")
    return module if name == "weight" else None


def _fits(network: DefinedNetwork, key: str, chosen: WeightScheme) -> bool:
    """Whether the weight can be quantized so: blocks divide the columns of a matrix."""
    shape = network.checkpoint.info(key).shape
    return isinstance(chosen.block, str) or (len(shape) == 2 and shape[1] % int(chosen.block) == 0)  # type: ignore[arg-type]


def _kept(network: DefinedNetwork, chosen: WeightScheme, skip: Sequence[str]) -> dict[str, str]:
    """The keys and modules of weights that the scheme fits and no pattern skips.

    Raises ModelError for a pattern that skips nothing, and where nothing is left.
    """
    keys = {key: path for key in watched(network).uses if (path := _module(key)) is not None}
    fitting = {key: path for key, path in keys.items() if _fits(network, key, chosen)}
    for pattern in skip:
        if not any(fnmatchcase(path, pattern) for path in fitting.values()):
            near = ", ".join(nearest(pattern, list(fitting.values()))) or "(none)"
            raise ModelError(f"skip: {pattern!r} matches no module that is quantized; the nearest are {near}")
    kept = {key: path for key, path in fitting.items() if not any(fnmatchcase(path, pattern) for pattern in skip)}
    if not kept:
        raise ModelError("the model has no weight that this scheme quantizes")
    return kept
